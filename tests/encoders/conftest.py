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


@pytest.fixture(scope="session")
def tiny_pruned():
    """Settings of a DPHuBERT of a few thousand weights."""
    return dict(
        extractor_mode="group_norm", extractor_conv_layer_config=[[8, 10, 5]] + [[8, 3, 2]] * 4 + [[8, 2, 2]] * 2,
        extractor_conv_bias=False, encoder_embed_dim=16, encoder_pos_conv_kernel=8, encoder_pos_conv_groups=2,
        encoder_num_layers=2, encoder_use_attention=[True, True], encoder_use_feed_forward=[True, True],
        encoder_num_heads=[2, 1], encoder_head_dim=8, encoder_ff_interm_features=[24, 20],
        encoder_layer_norm_first=False, normalize_waveform=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def hollow():
    """A state dict of a layout's shapes that takes no memory: every tensor repeats one zero."""
    return lambda layout: {key: torch.zeros(1).expand(shape) for key, (shape, _) in layout.items()}
