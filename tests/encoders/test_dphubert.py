"""DPHuBERT units against the original's: uneven heads, layers that lack a part, the WavLM variant."""

import pytest
import torch

from svcnb import encoders
from svcnb.encoders import EncoderError, dphubert

VARIANTS = ["dphubert_tiny", "dphubert_tiny_prenorm_normalize", "dphubert_tiny_wavlm"]


@pytest.fixture(scope="module")
def save(layout, fill, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dphubert")

    def write(name, change=lambda checkpoint: None):
        tiny = layout(name)
        checkpoint = {"config": tiny["config"], "state_dict": fill("dphubert:", tiny["layout"])}
        change(checkpoint)
        torch.save(checkpoint, folder / f"{name}.pth")
        return folder / f"{name}.pth"

    return write


@pytest.mark.parametrize("name", VARIANTS)
def test_units_are_the_originals(save, heard, differ, name):
    encoder = dphubert.load(save(name), "cpu")
    assert differ(encoder.units(heard), name) < 2e-5
    wavs = [heard[:3000], heard, heard[:5001]]
    for wav, units in zip(wavs, encoder.units_batch(wavs), strict=True):
        assert torch.allclose(units, encoder.units(wav), atol=2e-5)


def test_full_size_names_are_known(layout, hollow, tmp_path):
    settings = dict(
        layout("dphubert_tiny")["config"], encoder_num_layers=12, encoder_embed_dim=768, encoder_head_dim=64,
        extractor_conv_layer_config=[[512, 10, 5]] + [[512, 3, 2]] * 4 + [[512, 2, 2]] * 2, encoder_pos_conv_kernel=128,
        encoder_pos_conv_groups=16, encoder_use_attention=[True] * 12, encoder_use_feed_forward=[True] * 12,
        encoder_num_heads=[12] * 12, encoder_ff_interm_features=[3072] * 12,
    )  # fmt: skip
    torch.save(
        {"config": settings, "state_dict": hollow(layout("dphubert_unpruned_base")["layout"])},
        tmp_path / "DPHuBERT.pth",
    )
    assert encoders.get("dphubert", tmp_path / "DPHuBERT.pth", "cpu").dim == 768


def test_what_only_training_needs_is_left_out(save):
    def add(checkpoint):
        checkpoint["state_dict"]["encoder.transformer.layers.0.attention.hard_concrete_for_heads.log_alpha"] = (
            torch.ones(3)
        )

    dphubert.load(save("dphubert_tiny", add), "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("config"), "config"),
        (lambda c: c["config"].pop("encoder_num_heads"), "encoder_num_heads"),
        (lambda c: c["config"].update(encoder_num_heads=[3]), "not a DPHuBERT checkpoint"),
        (lambda c: c["config"].update(encoder_num_heads=[3, 2, 2, 4]), "wrong shapes in layers.2"),
        (lambda c: c["state_dict"].pop("feature_extractor.dummy_weight"), "lacks feature_extractor"),
        (lambda c: c["state_dict"].update(extra=torch.ones(1)), "unknown extra"),
        (lambda c: c.pop("state_dict"), "not a DPHuBERT checkpoint"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(save, change, message):
    with pytest.raises(EncoderError, match=message) as error:
        dphubert.load(save("dphubert_tiny", change), "cpu")
    assert "\n" not in str(error.value)
