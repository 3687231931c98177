"""HuBERT units against the original's: ContentVec and Chinese HuBERT, tiny and full size."""

import argparse

import pytest
import torch

from svcnb import encoders
from svcnb.encoders import EncoderError, hubert
from svcnb.unpickle import CheckpointError


@pytest.fixture(scope="module")
def save(layout, fill, tmp_path_factory):
    """Write a layout as the fairseq checkpoint it belongs to."""
    folder = tmp_path_factory.mktemp("hubert")

    def write(name, prefix, change=lambda state: None, half=False):
        state = fill(prefix, layout(name)["layout"])
        change(state)
        path = folder / f"{name}.pt"
        model = {k: v.half() if half else v for k, v in state.items()}
        torch.save({"args": argparse.Namespace(arch="hubert"), "model": model, "optimizer_history": [{}]}, path)
        return path

    return write


@pytest.fixture(scope="module")
def tiny(save):
    return save("contentvec_tiny", "hubert:")


def test_tiny_contentvec(tiny, heard, differ):
    assert differ(hubert.load(tiny, "cpu", layers=12, heads=4).units(heard), "contentvec_tiny_l12") < 2e-5
    projected = hubert.load(tiny, "cpu", layers=9, project=True, heads=4)
    assert projected.dim == 20
    assert len(projected.network.encoder.layers) == 9
    assert differ(projected.units(heard), "contentvec_tiny_l9_proj") < 2e-5


def test_full_contentvec_by_the_originals_names(save, heard, differ):
    path = save("contentvec_full", "hubert:")
    assert differ(encoders.get("vec768l12", path, "cpu").units(heard), "contentvec_full_l12") < 5e-5
    assert differ(encoders.get("vec256l9", path, "cpu").units(heard), "contentvec_full_l9_proj") < 5e-5
    path.unlink()


@pytest.mark.parametrize("variant", ["", "_convbias"])
def test_tiny_chinese_hubert(save, heard, differ, variant):
    encoder = hubert.load(save(f"cnhubert_tiny{variant}", "cnhubert:"), "cpu", heads=4)
    units = encoder.units(heard)
    assert differ(units, f"cnhubert_tiny{variant}") < 2e-5
    encoder.normalize = True
    assert not torch.allclose(encoder.units(heard), units, atol=1e-2)
    assert torch.allclose(encoder.units(heard), encoder.units(0.5 * heard), atol=1e-2)


def test_full_chinese_hubert_by_the_originals_name(layout, hollow, tmp_path):
    torch.save({"model": hollow(layout("cnhubert_large_convbias_true")["layout"])}, tmp_path / "full.pt")
    encoder = encoders.get("cnhubertlarge", tmp_path / "full.pt", "cpu")
    assert (encoder.dim, len(encoder.network.encoder.layers)) == (1024, 24)


def test_weights_in_half_precision_are_computed_in_float32(save, heard, differ):
    encoder = hubert.load(save("contentvec_tiny", "hubert:", half=True), "cpu", layers=12, heads=4)
    assert {p.dtype for p in encoder.network.parameters()} == {torch.float32}
    assert differ(encoder.units(heard), "contentvec_tiny_l12") < 2e-2


@pytest.mark.parametrize(("name", "prefix"), [("contentvec_tiny", "hubert:"), ("cnhubert_tiny", "cnhubert:")])
def test_computing_in_half_precision_changes_little(save, heard, name, prefix):
    """float16, as a GPU does by default, and bfloat16, as a CPU does on request."""
    encoder = hubert.load(save(name, prefix), "cpu", heads=4)
    assert not encoder.half
    units = encoder.units(heard)
    with torch.autocast("cpu", torch.float16), torch.no_grad():
        (on_a_gpu,) = encoder.encode([torch.from_numpy(heard)])
    assert 0 < (on_a_gpu - units).abs().max() < 0.02
    encoder.half = True
    halved = encoder.units(heard)
    assert halved.dtype == torch.float32
    assert 0 < (halved - units).square().mean().sqrt() < 0.02 * units.std()


def test_units_can_be_trained_on(save, heard):
    units = hubert.load(save("contentvec_tiny", "hubert:"), "cpu", heads=4).units(heard)
    torch.nn.Linear(48, 1)(units).sum().backward()


@pytest.mark.parametrize(("name", "prefix"), [("contentvec_tiny", "hubert:"), ("cnhubert_tiny", "cnhubert:")])
def test_a_batch_gives_what_single_sounds_give(save, heard, name, prefix):
    encoder = hubert.load(save(name, prefix), "cpu", heads=4)
    wavs = [heard[:3000], heard, heard[:5001], heard[2000:]]
    for wav, units in zip(wavs, encoder.units_batch(wavs), strict=True):
        assert torch.allclose(units, encoder.units(wav), atol=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("encoder.pos_conv.0.weight_g"), "lacks encoder.pos_conv_embed.conv"),
        (lambda s: s.pop("post_extract_proj.weight"), "lacks 'feature_projection.projection.weight'"),
        (lambda s: s.update({"w2v.extra": torch.ones(1)}), "unknown w2v.extra"),
        (lambda s: s.update({"layer_norm.bias": torch.ones(5)}), "wrong shapes in feature_projection.layer_norm.bias"),
        (lambda s: s["layer_norm.bias"].fill_(float("inf")), "not numbers in feature_projection.layer_norm.bias"),
        (lambda s: [s.pop(k) for k in list(s) if ".layers.11." in k], "11 transformer layers"),
        (lambda s: s.pop("final_proj.bias"), "lacks bias"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(save, change, message):
    with pytest.raises(EncoderError, match=message) as error:
        hubert.load(save("contentvec_tiny", "hubert:", change), "cpu", layers=12, project=True, heads=4)
    assert "\n" not in str(error.value)


def test_another_kind_of_file_is_refused(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pt")
    with pytest.raises(EncoderError, match="not a fairseq HuBERT checkpoint"):
        encoders.get("vec768l12", tmp_path / "other.pt", "cpu")
    (tmp_path / "text.pt").write_text("this is no checkpoint")
    with pytest.raises(CheckpointError, match=r"text\.pt"):
        encoders.get("vec768l12", tmp_path / "text.pt", "cpu")
