"""Long sound in windows against the same sound heard at once, with real networks."""

import pytest
import torch
from transformers import HubertConfig, HubertModel, WavLMConfig, WavLMModel

from svcnb import encoders
from svcnb.encoders import onnx
from svcnb.encoders.dphubert import DPHuBERT, Pruned
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.encoders.wavlm import WavLM
from svcnb.export import export_encoder


@pytest.fixture(scope="module")
def song():
    """20 s of noise that gets louder and changes colour, as a song's loudness and sounds change."""
    noise = torch.randn(16000 * 20, generator=torch.Generator().manual_seed(1))
    t = torch.linspace(0, 1, len(noise))
    return (0.01 + 0.3 * t) * (noise + noise.roll(1) * torch.sin(9 * t))


def encoder(settings, **changes):
    torch.manual_seed(1)
    return DPHuBERT(Pruned({**settings, **changes}).eval().requires_grad_(False), "cpu")


def whole_and_windows(encoder, wav):
    encoder.window, encoder.margin = len(wav), 0
    whole = encoder.units(wav)
    encoder.window, encoder.margin = 300, 50
    pieces = list(encoder.stream(wav))
    assert len(pieces) > 3
    return whole, torch.cat(pieces)


def test_without_attention_windows_equal_the_whole(tiny_pruned, song):
    """Framing, the norm over the whole sound's loudness, and the positions' convolution are exact."""
    whole, windows = whole_and_windows(encoder(tiny_pruned, encoder_use_attention=[False, False]), song)
    assert (whole - windows).abs().max() < 2e-5
    assert whole.std(0).mean() > 0.1


def test_with_attention_windows_are_close_to_the_whole(tiny_pruned, song):
    """Random attention hears the whole song evenly, so this is the worst that a window's horizon can do."""
    whole, windows = whole_and_windows(encoder(tiny_pruned), song)
    assert torch.cosine_similarity(whole, windows).min() > 0.99
    assert (whole - windows).pow(2).mean().sqrt() < 0.25 * whole.std(0).mean()


def test_half_precision_goes_through_windows_too(tiny_pruned, song):
    halved = encoder(tiny_pruned, encoder_use_attention=[False, False])
    halved.half = True
    whole, windows = whole_and_windows(halved, song)
    assert (whole - windows).abs().max() < 0.05


def test_the_norm_of_the_whole_sound_matters(tiny_pruned, song):
    blind = encoder(tiny_pruned, encoder_use_attention=[False, False])
    blind.survey = lambda wav: None
    whole, windows = whole_and_windows(blind, song)
    assert (whole - windows).abs().max() > 0.1


def small(family, config, norm):
    """A network of transformers' with few weights; norm: after the convolutions, of a group or of a layer."""
    torch.manual_seed(1)
    settings = dict(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, conv_dim=[8] * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, feat_extract_norm=norm,
    )  # fmt: skip
    return family(config(**settings)).eval().requires_grad_(False)


def graph(tmp_path):
    """ONNX hears each window by itself, so a norm over the whole sound would be another one."""
    pytest.importorskip("onnxruntime")
    export_encoder(Wav2Vec2(small(HubertModel, HubertConfig, "layer"), "cpu"), tmp_path / "encoder.onnx")
    return onnx.load(tmp_path / "encoder.onnx", "cpu")


@pytest.mark.parametrize(
    "make",
    [
        lambda _: Wav2Vec2(small(HubertModel, HubertConfig, "group"), "cpu"),
        lambda _: Wav2Vec2(small(HubertModel, HubertConfig, "layer"), "cpu", normalize=True),
        lambda _: WavLM(small(WavLMModel, WavLMConfig, "group"), "cpu"),
        graph,
        lambda _: encoders.get("lesson", device="cpu"),
    ],
    ids=["ContentVec", "Chinese HuBERT", "WavLM", "ONNX", "lesson"],
)
def test_every_familys_windows_are_close_to_the_whole(make, song, tmp_path):
    whole, windows = whole_and_windows(make(tmp_path), song)
    assert torch.cosine_similarity(whole, windows).min() > 0.99
    assert (whole - windows).pow(2).mean().sqrt() < 0.25 * whole.std(0).mean()
