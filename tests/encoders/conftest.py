"""What the encoders' tests share: networks filled by the reference data's weight rule, and its sound."""

import json
from zlib import crc32

import numpy as np
import pytest
import torch


def _values(key: str, shape: list[int]) -> np.ndarray:
    x = np.random.RandomState(crc32(key.encode())).standard_normal(int(np.prod(shape))).reshape(shape)
    last = key.rsplit(".", 1)[-1]
    if last == "weight_g" or (len(shape) < 2 and (last.startswith("weight") or last == "dummy_weight")):
        x = 1 + 0.1 * x
    elif len(shape) < 2:
        x = 0.1 * x
    else:
        x = x / np.sqrt(np.prod(shape[1:]))
    return x.astype(np.float32)


@pytest.fixture(scope="session")
def fill():
    """A state dict whose values follow from its keys and shapes alone (the rule is in the reference data's README)."""
    return lambda prefix, layout: {
        key: torch.from_numpy(_values(prefix + key, shape)) for key, (shape, _) in layout.items()
    }


@pytest.fixture(scope="session")
def layout(golden):
    """Read a layout of the reference data by its name: `layout("whisper_tiny")`."""
    return lambda name: json.loads(golden(f"features/layout_{name}.json").read_text())


@pytest.fixture(scope="session")
def expected(golden):
    """What the original's encoders gave, by key."""
    return np.load(golden("features/encoders.npz"))


@pytest.fixture(scope="session")
def heard(expected):
    """The sound that the original's encoders heard, 16 kHz."""
    return expected["audio16k"] / np.float32(32768)


@pytest.fixture(scope="session")
def differ(expected):
    """Largest difference between units (T, D) and the original's (1, D, T) of a key."""

    def compare(units, key):
        reference = torch.from_numpy(expected[key])[0].T
        assert units.shape == reference.shape
        return (units - reference).abs().max().item()

    return compare
