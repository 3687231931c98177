"""Quick layers and a norm inside the weights: the same values as torch's and transformers' own."""

import copy

import pytest
import torch
from torch import nn
from transformers import HubertConfig, HubertModel

from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.quick import Conv1d, Linear, quicken


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


@pytest.mark.parametrize("shape", [(2, 7, 6), (1, 1, 6), (7, 6), (2, 3, 5, 6)])
def test_a_quick_linear_layer_is_a_linear_layer(shape):
    plain = nn.Linear(6, 5)
    quick, x = quicken(copy.deepcopy(plain)), torch.randn(shape)
    assert type(quick) is Linear
    torch.testing.assert_close(quick(x), plain(x))
    torch.testing.assert_close(quick(x.transpose(0, -2)), plain(x.transpose(0, -2)))


@pytest.mark.parametrize(
    "settings", [{}, dict(stride=2, padding=1), dict(stride=5, bias=False), dict(groups=2), dict(kernel_size=1)]
)
def test_a_quick_convolution_is_a_convolution(settings):
    plain = nn.Conv1d(6, 4, **dict(kernel_size=3) | settings)
    quick = quicken(copy.deepcopy(plain))
    assert type(quick) is Conv1d
    for x in (torch.randn(2, 6, 20), torch.randn(2, 20, 6).mT):
        torch.testing.assert_close(quick(x), plain(x))


def test_without_onednn_a_quick_layer_is_an_ordinary_one(monkeypatch):
    linear, convolution = quicken(nn.Linear(6, 5)), quicken(nn.Conv1d(6, 4, 1))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr("svcnb.quick.F.conv2d", lambda *_: pytest.fail("as an image"))
    assert linear(torch.randn(1, 7, 6)).shape == (1, 7, 5) and convolution(torch.randn(1, 6, 7)).shape == (1, 4, 7)


@pytest.mark.parametrize("settings", [dict(dilation=2), dict(padding="same"), dict(padding=1, padding_mode="circular")])
def test_a_convolution_that_does_more_is_left_alone(settings):
    assert type(quicken(nn.Conv1d(6, 6, 3, **settings))) is nn.Conv1d


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_quick_network_gives_what_transformers_gives(norm):
    config = HubertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, conv_dim=[8] * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, feat_extract_norm=norm, conv_bias=True,
    )  # fmt: skip
    network = HubertModel(config).eval().requires_grad_(False)
    for weights in network.parameters():
        weights.add_(0.1 * torch.randn_like(weights))
    wav = 0.3 + 0.1 * torch.randn(9000)  # off centre, which the norm takes away
    expected = network(wav[None]).last_hidden_state[0]
    torch.testing.assert_close(Wav2Vec2(network, "cpu").units(wav), expected, atol=2e-5, rtol=0)
