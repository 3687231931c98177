"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

GOLDEN = Path(os.environ.get("SVCNB_GOLDEN", Path(__file__).parents[2] / "shared/golden"))
SINGING = Path(os.environ.get("SVCNB_SINGING", Path(__file__).parents[2] / "shared/audio"))


def _found(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        pytest.skip(f"{name} is not here; it belongs to the reference data, which is not part of the project")
    return path


@pytest.fixture(scope="session")
def golden():
    """Path of a file that the original system produced; skips where there is none."""
    return lambda name: _found(GOLDEN, name)


@pytest.fixture(scope="session")
def singing():
    """Path of a recording of real singing; skips where there is none."""
    return lambda name: _found(SINGING, name)
