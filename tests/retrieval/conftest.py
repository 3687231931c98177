"""A small prepared work folder with the golden corpus in it."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from svcnb.config import Config


@pytest.fixture(scope="session")
def lookup(golden):
    return load_file(golden("mixing/kmeans_lookup.safetensors"))


@pytest.fixture
def work(lookup, tmp_path):
    """Features of alice (number 1) and bob (number 0), 100 frames each."""
    for name in ("alice", "bob"):
        folder = tmp_path / "dataset/44k" / name
        folder.mkdir(parents=True)
        for i in range(3):
            units = np.ascontiguousarray(lookup[f"corpus.{name}.{i}"][0].T)
            save_file({"units": units}, folder / f"{i}.features.safetensors")
    config = Config.preset("lesson", "lesson", ["bob", "alice"])
    config.save(tmp_path / "configs/config.json")
    return tmp_path
