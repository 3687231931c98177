"""What several tests of the pitch predictors share."""

import zlib

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def made_weights():
    """Weights by the rule of the reference data: the same numbers for the same key everywhere."""
    return _made_weights


def _made_weights(prefix: str, layout: dict) -> dict[str, torch.Tensor]:
    return {key: _tensor(prefix + key, shape, key.split(".")[-1]) for key, (shape, _) in layout.items()}


def _tensor(seed: str, shape: list[int], name: str) -> torch.Tensor:
    if name == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    random = np.random.RandomState(zlib.crc32(seed.encode()))
    x = random.standard_normal(int(np.prod(shape))).reshape(shape)
    if name == "running_var" or name == "weight_g":
        x = 1 + 0.1 * (np.abs(x) if name == "running_var" else x)
    elif name == "running_mean":
        x = 0.1 * x
    elif name != "projection_matrix" and len(shape) < 2:
        x = 1 + 0.1 * x if name.startswith("weight") else 0.1 * x
    elif name != "projection_matrix":
        x = x / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


@pytest.fixture(scope="session")
def cents_apart():
    """Largest distance in cents between two pitch curves; their voicing must be the same."""

    def measure(one: np.ndarray, other: np.ndarray) -> float:
        one, other = np.ravel(one), np.ravel(other)
        assert ((one > 0) == (other > 0)).all()
        voiced = one > 0
        return np.abs(1200 * np.log2(one[voiced] / other[voiced])).max(initial=0)

    return measure


@pytest.fixture(scope="session")
def hum():
    """A voice-like sound (N,) float32 of steady pitch: twelve harmonics and a little noise."""

    def make(hz: float = 220, seconds: float = 1.0, rate: int = 44100) -> np.ndarray:
        time = np.arange(int(seconds * rate)) / rate
        wave = sum(np.sin(2 * np.pi * h * hz * time) / h for h in range(1, 13) if h * hz < 0.45 * rate)
        noise = np.random.default_rng(0).standard_normal(len(time))
        return (0.2 * wave + 1e-4 * noise).astype(np.float32)

    return make
