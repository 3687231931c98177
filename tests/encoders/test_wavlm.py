"""WavLM units against the original's, and settings that are read without being run."""

import pytest
import torch

from svcnb import encoders
from svcnb.encoders import EncoderError, wavlm


@pytest.fixture(scope="module")
def save(layout, fill, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wavlm")

    def write(name, change=lambda checkpoint: None):
        tiny = layout(name)
        checkpoint = {"cfg": tiny["config"], "model": fill("wavlm:", tiny["layout"])}
        change(checkpoint)
        torch.save(checkpoint, folder / f"{name}.pt")
        return folder / f"{name}.pt"

    return write


@pytest.mark.parametrize("name", ["wavlm_tiny", "wavlm_tiny_normalize_prenorm"])
def test_units_are_the_originals(save, heard, differ, name):
    encoder = wavlm.load(save(name), "cpu")
    assert differ(encoder.units(heard), name) < 2e-5
    for wav, units in zip((heard[:3000], heard), encoder.units_batch([heard[:3000], heard]), strict=True):
        assert torch.equal(units, encoder.units(wav))


def test_the_full_size_layout_is_read_by_the_originals_name(layout, hollow, tmp_path):
    full = layout("wavlm_base_plus")
    settings = dict(
        full["config_used"], encoder_layers=12, encoder_embed_dim=768, encoder_ffn_embed_dim=3072,
        encoder_attention_heads=12, extractor_mode="default", layer_norm_first=False, conv_bias=False, normalize=False,
        conv_feature_layers="[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2", conv_pos=128, conv_pos_groups=16,
    )  # fmt: skip
    torch.save({"cfg": settings, "model": hollow(full["layout"])}, tmp_path / "WavLM-Base+.pt")
    assert encoders.get("wavlmbase+", tmp_path / "WavLM-Base+.pt", "cpu").dim == 768


def test_convolutions_are_read_from_their_text():
    assert wavlm.conv_layers("[(512,10,5)] + [(32, 3, 2)] * 2 + [(8,2,2)]") == [
        (512, 10, 5),
        (32, 3, 2),
        (32, 3, 2),
        (8, 2, 2),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "[(512,10,5)] * 1000000000000",
        "[[(1,1,1)] * 99] * 99 * 99",
        "2 * 99 * 99",
        "[(512,10)]",
        "[(512,10,5)",
        "(" * 5000,
        "[x for x in ((1,2,3),)]",
        None,
    ],
)
def test_convolutions_that_are_something_else_are_refused(text):
    with pytest.raises(ValueError, match="does not describe convolutions"):
        wavlm.conv_layers(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("cfg"), "not a WavLM checkpoint"),
        (lambda c: c["cfg"].pop("num_buckets"), "num_buckets"),
        (lambda c: c["cfg"].update(conv_feature_layers="exit()"), "does not describe convolutions"),
        (lambda c: c["cfg"].update(encoder_layers=4), "lacks encoder.layers.3"),
        (lambda c: c["model"].pop("encoder.layers.1.self_attn.grep_a"), "lacks encoder.layers.1.attention.gru_rel_pos"),
        (lambda c: c.pop("model"), "not a WavLM checkpoint"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(save, change, message):
    with pytest.raises(EncoderError, match=message) as error:
        wavlm.load(save("wavlm_tiny", change), "cpu")
    assert "\n" not in str(error.value)
