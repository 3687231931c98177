"""Deterministic weights and golden tensors of the So-VITS network (rules: golden/sovits/README.md)."""

import contextlib
import json
import math
import zlib
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svcnb.config import Config
from svcnb.models.sovits import Sovits


def rule(key: str, shape) -> np.ndarray:
    """The value that a tensor of this name has in every golden file."""
    rs, last = np.random.RandomState(zlib.crc32(key.encode())), key.rsplit(".", 1)[-1]
    if last == "weight_g":
        return rs.uniform(0.5, 1.0, size=shape)
    if last == "gamma":
        return rs.uniform(0.5, 1.5, size=shape)
    values = rs.standard_normal(shape)
    if last == "weight_u" or (last == "weight_v" and len(shape) == 1):
        return values / np.linalg.norm(values)
    return values / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1 * values


def fill(model: torch.nn.Module) -> torch.nn.Module:
    """Replace every tensor of a model by the rule's, in eval mode."""
    state = model.state_dict()
    for key, tensor in state.items():  # of tensors that two keys share, the last (flow.wn) wins
        if key.rsplit(".", 1)[-1] != "filter" and tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(rule(key, tuple(tensor.shape))))
    return model.eval()


@pytest.fixture(scope="session")
def tiny_config(golden):
    return Config.load(golden("sovits/tiny_config.json"))


@pytest.fixture(scope="session")
def tiny(tiny_config):
    """Build the tiny model of the golden files, with changes to its `model` section."""
    return lambda **model: fill(Sovits(tiny_config.copy_with(model=model)))


@pytest.fixture(scope="session")
def arrays(golden):
    return lambda name: load_file(golden(f"sovits/{name}.safetensors"))


@pytest.fixture(scope="session")
def golden_json(golden):
    return lambda name: json.loads(golden(name).read_text())


@contextlib.contextmanager
def zero_noise():
    """Every normal and every uniform draw is 0, and so is the loudness of the sines' own noise."""

    def zeros(shape, *args, dtype=torch.float32, device="cpu", **kwargs):
        return torch.zeros(shape, dtype=dtype, device=device)

    with patch("torch.randn", zeros), patch("torch.rand", zeros):
        yield


def close(actual, expected, atol=1e-5, rtol=1e-4):
    torch.testing.assert_close(torch.as_tensor(actual), torch.as_tensor(expected), atol=atol, rtol=rtol)
