"""Networks of a few thousand weights, none of them zero, to be exported."""

import pytest
import torch

from svcnb.config import Config
from svcnb.models.sovits import Sovits

SPEAKERS = ["a", "b", "c"]
SMALL = dict(
    inter_channels=8, hidden_channels=8, filter_channels=16, n_heads=2, n_layers=2, gin_channels=12, ssl_dim=10,
    upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], upsample_initial_channel=16, n_flow_layer=2,
    resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]], vol_embedding=False, sawtooth=False,
)  # fmt: skip


def alive(model: torch.nn.Module) -> torch.nn.Module:
    """No part of an untrained network stays silent because its last weights are zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return model.eval()


def small_config(**model) -> Config:
    config = Config.preset("lesson", "lesson", SPEAKERS)
    config = config.copy_with(data={"sampling_rate": 6400, "hop_length": 64, "unit_interpolate_mode": "nearest"})
    return config.copy_with(model={**SMALL, **model})


@pytest.fixture(scope="session")
def small():
    """A small So-VITS with changes to its `model` section, and its config."""

    def make(**model):
        config = small_config(**model)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return alive(Sovits(config)), config

    return make
