"""Songs that nobody planned for, through the whole of a small voice: a sample, a blink, a hiss, what is no number."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from svcnb import audio
from svcnb.audio import AudioError
from svcnb.checkpoint import save_sovits
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.models.sovits import Sovits

SMALL = dict(hidden_channels=16, inter_channels=16, filter_channels=32, n_layers=1, upsample_initial_channel=16)
PREDICTORS = ("dio", "harvest", "pm", "fcpe")
NAMES = ["two words.wav", "größe.flac", "歌.ogg", "a'b\"c.wav", "-n.wav", "a\nb.wav", "%s.mp3"]


@pytest.fixture(scope="module")
def converter(tmp_path_factory):
    config = Config.preset("lesson", "lesson", ["anna"]).copy_with(model=SMALL)
    path = tmp_path_factory.mktemp("a voice with spaces") / "Stimme für 歌.safetensors"
    torch.manual_seed(0)
    save_sovits(path, Sovits(config), config)
    return Converter.load(path, device="cpu")


def noise(samples, level=0.1):
    return level * np.random.default_rng(0).standard_normal(samples).astype(np.float32)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("samples", [1, 2, 511, 2205])  # the last is 0.05 s
def test_the_shortest_songs_come_out_as_long(converter, samples, predictor):
    made = converter.convert(noise(samples), 44100, f0_predictor=predictor)
    assert made.audio.shape == (samples,) and np.isfinite(made.audio).all()
    assert len(made.f0.hz) == samples // 512


@pytest.mark.parametrize("rate", [8000, 11025, 96000, 192000])
def test_the_shortest_songs_at_other_rates(converter, rate):
    for samples in (1, rate // 20):
        made = converter.convert(noise(samples), rate, f0_predictor="dio")
        assert abs(len(made.audio) - samples * 44100 / rate) <= 0.5


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("sound", ["hiss", "hum", "clicks", "full scale", "nearly nothing"])
def test_a_song_without_a_voice_is_no_failure(converter, sound, predictor):
    wav = {
        "hiss": noise(22050),
        "hum": np.full(22050, 0.3, np.float32),
        "clicks": (np.arange(22050) % 7000 == 0).astype(np.float32),
        "full scale": np.sign(noise(22050)),
        "nearly nothing": np.full(22050, 1e-40, np.float32),
    }[sound]
    made = converter.convert(wav, 44100, f0_predictor=predictor)
    assert len(made.audio) == 22050 and np.isfinite(made.audio).all()
    if not made.f0.voiced.any():
        assert made.notes and ("silent" in made.notes[0] or "No pitch was found" in made.notes[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_with_their_place(converter, tmp_path, value):
    wav = noise(88200)
    wav[66150] = value
    soundfile.write(tmp_path / "a.wav", wav, 44100, "FLOAT")
    for song in (wav, tmp_path / "a.wav"):
        with pytest.raises(AudioError, match=r"not numbers, from 1\.50 s on; export it again"):
            converter.convert(song, 44100, f0_predictor="dio", out=tmp_path / "made.wav")
    assert not (tmp_path / "made.wav").exists() and not list(tmp_path.glob("*.part"))


def test_values_far_beyond_full_scale_are_sung(converter):
    made = converter.convert(1e4 * noise(22050), 44100, f0_predictor="dio")
    assert np.isfinite(made.audio).all()


@pytest.mark.parametrize(
    "name", ["two words.wav", "größe.flac", "歌.ogg", "a'b\"c.wav", "-n.wav", "a\nb.wav", "%s.mp3"]
)
def test_any_name_of_a_file_will_do(converter, tmp_path, name):
    folder = tmp_path / "ein Ordner mit Ä"
    audio.save(folder / name, noise(8000), 44100)
    made = converter.convert(folder / name, f0_predictor="dio", out=folder / f"out {name}")
    assert len(made.audio) >= 8000 and (folder / f"out {name}").exists()


def test_a_folder_that_may_not_be_written_to_is_named(converter, tmp_path, monkeypatch):
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.getuid():
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    else:  # root may write everywhere, so it is told that it may not
        monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OSError, match="choose another one or change its permissions"):
        converter.convert(noise(8000), 44100, f0_predictor="dio", out=folder / "a.wav")


def refuse(*args, **kwargs):
    raise PermissionError(13, "Permission denied")
