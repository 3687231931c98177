"""Colab, as far as svcnb meets it."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from svcnb import notebook

STAND_IN = Path(__file__).parent / "standin"


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """The stand-in for google.colab, its Drive an empty folder."""
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setattr(notebook, "IN_COLAB", True)
    monkeypatch.setattr(notebook, "FAST", False)
    monkeypatch.setattr(notebook, "MOUNT", tmp_path / "drive")
    for part in ("drive", "files", "output"):
        import_module(f"google.colab.{part}")
    yield sys.modules["google.colab"]
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]  # a widget of another test must not believe that it is in Colab
