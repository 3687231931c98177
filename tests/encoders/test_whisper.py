"""Whisper units against the original's, and the files that are refused."""

import numpy as np
import pytest
import torch

from svcnb import encoders
from svcnb.config import UNITS_DIM
from svcnb.encoders import EncoderError, whisper


@pytest.fixture(scope="module")
def checkpoint(layout, fill):
    tiny = layout("whisper_tiny")
    return {"dims": tiny["dims"], "model_state_dict": fill("whisper:", tiny["layout"])}


@pytest.fixture(scope="module")
def saved(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("whisper") / "tiny.pt"
    torch.save(checkpoint, path)
    return path


def changed(saved, change):
    checkpoint = torch.load(saved, weights_only=True)
    change(checkpoint)
    path = saved.with_name("changed.pt")
    torch.save(checkpoint, path)
    return path


def test_units_are_the_originals(saved, heard, differ):
    encoder = whisper.load(saved, "cpu")
    assert differ(encoder.units(heard), "whisper_tiny") < 2e-5


def test_the_mel_is_the_originals(heard, expected):
    mel = whisper.log_mel(torch.from_numpy(heard))
    assert mel.shape == (80, 3000)
    assert (mel[:, :80] - torch.from_numpy(expected["whisper_mel_first80"])).abs().max() < 1e-4
    assert (mel[:, -2:] - torch.from_numpy(expected["whisper_mel_last2"])).abs().max() < 1e-4


def test_more_than_thirty_seconds_are_heard_to_the_end(saved):
    encoder = whisper.load(saved, "cpu")
    wav = 0.1 * torch.randn(16000 * 33, generator=torch.Generator().manual_seed(1))
    units = encoder.units(wav)
    assert units.shape == (33 * 50, 48)
    assert torch.equal(units[:1250], encoder.units(wav[: 16000 * 30])[:1250])
    # the last window is the last 30 s as a sound of their own
    assert torch.equal(units[1250:], encoder.units(wav[3 * 16000 :])[1100:])


def test_a_batch_gives_what_single_sounds_give(saved, heard):
    encoder = whisper.load(saved, "cpu")
    wavs = [heard, heard[:4000], heard[2000:], np.tile(heard, 52), np.tile(heard, 50)]  # the last two over 30 s
    for wav, units in zip(wavs, encoder.units_batch(wavs), strict=True):
        assert torch.allclose(units, encoder.units(wav), atol=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("dims"), "not a Whisper checkpoint"),
        (lambda c: c["dims"].update(n_mels=128), "128 mel bands"),
        (lambda c: c["model_state_dict"].pop("encoder.ln_post.bias"), "lacks layer_norm.bias"),
        (lambda c: c["model_state_dict"].update({"encoder.extra": torch.ones(1)}), "unknown extra"),
        (lambda c: c["model_state_dict"].update({"encoder.conv1.bias": torch.ones(9)}), "wrong shapes in conv1.bias"),
        (lambda c: c["model_state_dict"]["encoder.conv1.bias"].fill_(float("nan")), "not numbers in conv1.bias"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(saved, change, message):
    with pytest.raises(EncoderError, match=message) as error:
        whisper.load(changed(saved, change), "cpu")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "size"), [("whisper-ppg", "medium"), ("whisper-ppg-large", "large_v2")])
def test_full_size_names_are_known(layout, hollow, tmp_path, name, size):
    full = layout(f"whisper_{size}_encoder")
    torch.save({"dims": full["dims"], "model_state_dict": hollow(full["layout"])}, tmp_path / "full.pt")
    assert encoders.get(name, tmp_path / "full.pt", "cpu").dim == UNITS_DIM[name]


def test_the_wrong_family_member_is_refused_by_its_dims(saved):
    with pytest.raises(EncoderError, match="48 values, but whisper-ppg has 1024"):
        encoders.get("whisper-ppg", saved, "cpu")


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (torch.zeros(100), "100 samples"),
        (torch.zeros(2, 4000), "one channel"),
        (torch.full((4000,), float("nan")), "decimal numbers"),
        (torch.ones(4000, dtype=torch.int16), "decimal numbers"),
        (torch.zeros(0), "0 samples"),
    ],
)
def test_sound_that_can_not_be_heard_is_refused(saved, wav, message):
    with pytest.raises(EncoderError, match=message):
        whisper.load(saved, "cpu").units(wav)
