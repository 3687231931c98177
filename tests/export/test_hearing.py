"""Encoders and pitch predictors as graphs: equal to what they were made from, and opened by our own ONNX encoders."""

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from svcnb import encoders, f0
from svcnb.encoders import onnx
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.encoders.whisper import Whisper
from svcnb.export import ExportError, export_encoder, export_f0
from svcnb.f0.rmvpe import RmvpeNet

from .conftest import alive


def sound(samples):
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def small_hubert(**options):
    """ContentVec's make, with few weights."""
    config = HubertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, conv_dim=[8] * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    return Wav2Vec2(alive(HubertModel(config)), "cpu", **options)


def small_whisper():
    config = WhisperConfig(encoder_layers=2, d_model=16, encoder_attention_heads=2, encoder_ffn_dim=24)
    return Whisper(alive(WhisperEncoder(config)).requires_grad_(False), "cpu")


@pytest.mark.parametrize(
    ("make", "overhang"),
    [
        (lambda: encoders.get("lesson"), 0),
        (small_hubert, 80),
        (lambda: small_hubert(projection=torch.nn.Linear(16, 6), padding=40), 0),
        (small_whisper, 0),
    ],
    ids=["lesson", "ContentVec", "hubert-soft", "Whisper"],
)
def test_encoder(make, overhang, tmp_path):
    encoder = make()
    assert export_encoder(encoder, tmp_path / "encoder.onnx").worst < 1e-5
    opened = onnx.load(tmp_path / "encoder.onnx", "cpu", overhang)
    for samples in (16000, 8217):
        expected = encoder.units(sound(samples))
        np.testing.assert_allclose(opened.units(sound(samples)), expected, atol=1e-5)


def test_what_can_not_be_exported_is_named(tmp_path):
    class Other(encoders.Encoder):
        name, encode = "wavlm", None

    with pytest.raises(ExportError, match="wavlm can not be exported"):
        export_encoder(Other(4, "cpu"), tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="Dio can not be exported; fcpe and rmvpe can"):
        export_f0(f0.get("dio"), tmp_path / "f0.onnx")


def test_fcpe(tmp_path):
    assert export_f0(f0.get("fcpe", f0_min=60, f0_max=900), tmp_path / "f0.onnx").worst < 1e-5


def test_rmvpe(tmp_path):
    torch.manual_seed(0)
    torch.save(alive(RmvpeNet(levels=2, blocks=1, inner=1, width=4)).state_dict(), tmp_path / "rmvpe.pt")
    predictor = f0.get("rmvpe", threshold=0.4, path=tmp_path / "rmvpe.pt")
    assert export_f0(predictor, tmp_path / "f0.onnx").worst < 1e-5
