"""An exported voice: with the same noise it sings what the Converter sings, to the last digits, and without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from svcnb import encoders, f0, lesson
from svcnb.checkpoint import new_vocoder
from svcnb.config import DiffusionConfig, VocoderConfig
from svcnb.convert import Converter
from svcnb.diffuse import SecondVoice
from svcnb.export import ExportError, export_voice
from svcnb.mixing import Timeline
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.sovits import Sovits
from svcnb.options import ConvertError
from svcnb.portable import Portable
from tests.export.conftest import SPEAKERS, alive, small_config

RATE, HOP = 6400, 64


@pytest.fixture(scope="module")
def song():
    """Three seconds of a lesson singer, a rest in the middle."""
    wav = lesson.sing("clara", "row")[0][: 2 * lesson.RATE]
    return np.insert(wav, lesson.RATE, np.zeros(lesson.RATE, np.float32))


def diffusion():
    config = DiffusionConfig.preset("lesson", SPEAKERS[::-1])  # its numbers are not the voice's
    config = config.copy_with(
        data={"sampling_rate": RATE, "block_size": HOP},
        model={"n_layers": 2, "n_chans": 16, "n_hidden": 12},
        infer={"method": "pndm", "speedup": 10},
    )
    vocoder = VocoderConfig(
        sampling_rate=RATE, num_mels=8, hop_size=HOP, n_fft=256, win_size=256, fmin=40, fmax=3000, resblock="1",
        upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], upsample_initial_channel=16,
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]],
    )  # fmt: skip
    return SecondVoice(alive(Unit2Mel(config, mels=8)), config, alive(new_vocoder(vocoder)))


@pytest.fixture(scope="module")
def converter():
    torch.manual_seed(0)
    config = small_config(ssl_dim=64)
    return Converter(alive(Sovits(config)), config, encoders.get("lesson"), "cpu", diffusion=diffusion())


@pytest.fixture(scope="module")
def folder(converter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    reports = export_voice(converter, folder)
    assert len(reports) == 9 and all(report.worst < 1e-5 for report in reports)
    return folder


class TorchNoise:
    """A numpy Generator's two methods, drawing what torch draws."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def standard_normal(self, shape):
        return torch.randn(shape, generator=self.generator).numpy()

    def random(self, shape):
        return torch.rand(shape, generator=self.generator).numpy()


@pytest.fixture
def voice(folder):
    voice = Portable.load(folder)
    voice.noise = TorchNoise
    return voice


@pytest.mark.parametrize(
    "how",
    [
        {"speaker": "b", "k_step": 40},
        {"speaker": 2, "semitones": -5, "k_step": 30, "speedup": 7, "second_encoding": True},
        {"speaker": "a", "only_diffusion": True, "speedup": 200},
        {"mix": Timeline({0: [[0, 1, 1, 0]], 1: [[0, 1, 0, 1]], 2: [[0, 1, 0, 0]]}), "loudness_envelope": 0.5},
    ],
    ids=["shallow", "second encoding", "diffusion alone", "mix"],
)
def test_the_same_noise_makes_the_same_song(converter, voice, song, how):
    listener = f0.get("fcpe", RATE, HOP)
    expected = converter.convert(song, lesson.RATE, **how, f0_predictor=listener)
    found = voice.convert(song, lesson.RATE, **how, f0_predictor=listener)
    assert len(found.audio) == len(expected.audio) and np.abs(expected.audio).max() > 0.01
    assert np.abs(found.audio - expected.audio).max() < 1e-4
    assert found.chunks == expected.chunks and found.speaker == expected.speaker
    np.testing.assert_allclose(found.f0.hz, expected.f0.hz)


def test_the_voice_alone(converter, voice, song, monkeypatch):
    listener = f0.get("fcpe", RATE, HOP)
    monkeypatch.setattr(converter, "diffusion", None)
    monkeypatch.setattr(voice, "diffusion", None)
    expected, found = (x.convert(song, lesson.RATE, "b", f0_predictor=listener) for x in (converter, voice))
    assert np.abs(found.audio - expected.audio).max() < 1e-4


def test_its_own_ears_hear_the_same_melody(converter, voice, song):
    expected, found = (x.convert(song, lesson.RATE, "b", k_step=20).f0 for x in (converter, voice))
    assert (expected.voiced == found.voiced).mean() > 0.98
    both = expected.voiced & found.voiced
    assert np.median(np.abs(1200 * np.log2(expected.hz[both] / found.hz[both]))) < 1


@pytest.mark.parametrize("heard", [7, 20, 33])
@pytest.mark.parametrize("stretch", ["left", "nearest"])
def test_units_are_stretched_as_for_the_network(voice, heard, stretch):
    voice.stretch = stretch
    expected = encoders.stretch(torch.arange(heard)[:, None], 20, stretch)[:, 0].numpy()
    np.testing.assert_array_equal(voice._place(heard, 20)[0] - 1, expected)


def test_the_packed_program_sings_without_torch(folder, song, tmp_path):
    soundfile.write(tmp_path / "song.wav", song, lesson.RATE)
    program = f"""
import runpy, sys
sys.argv = [{str(folder / "sing.pyz")!r}, "song.wav", "--speaker", "b"]
runpy.run_path(sys.argv[0], run_name="__main__")
assert "sing.pyz" in sys.modules["svcnb"].__file__
print({{"torch", "transformers", "pydantic"}} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["Written: song-b.wav", "set()"], done.stderr
    assert soundfile.info(tmp_path / "song-b.wav").frames == len(song) * RATE // lesson.RATE
    assert "--speaker a" in (folder / "README.txt").read_text()


def test_its_errors_are_sentences(folder, tmp_path):
    run = [sys.executable, str(folder / "sing.pyz")]
    done = subprocess.run([*run, "nothing.wav", "--speaker", "b"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr == "Error: There is no file nothing.wav.\n"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"speaker": "z"}, "There is no speaker 'z'; name one of a, b, c."),
        ({}, "There is no speaker None; name one of a, b, c."),
        ({"speaker": "a", "auto_f0": True}, "auto_f0 is not exported"),
        ({"speaker": "a", "retrieval_ratio": 0.5}, "retrieval_ratio is not exported"),
        ({"speaker": "a", "f0_predictor": "pm"}, "exported with fcpe"),
        ({"speaker": "a", "sampler": "ddim"}, "goes by pndm"),
        ({"speaker": "a", "k_step": 5, "speedup": 5}, "k_step is 5; it must be over the speedup, 5, and up to 1000"),
    ],
)
def test_what_it_can_not_do_is_said(voice, song, how, message):
    with pytest.raises(ConvertError, match=message):
        voice.convert(song, lesson.RATE, **how)


def test_without_diffusion_its_options_are_refused(voice, song):
    voice.diffusion = None
    with pytest.raises(ConvertError, match="k_step is for a diffusion model"):
        voice.convert(song, lesson.RATE, "a", k_step=50)


def test_a_piece_longer_than_the_encoder_hears_is_refused(voice, monkeypatch):
    graphs = voice.graphs  # Whisper's graph hears no more than 30 s
    whisper = lambda name, **given: graphs(name, **given)[:, :1500] if name == "encoder" else graphs(name, **given)
    monkeypatch.setattr(voice, "graphs", whisper)
    assert voice._units(np.zeros(30 * RATE, np.float32)).shape == (1, 1500, 64)
    with pytest.raises(ConvertError, match="hears 30 s at once, but a piece has 31 s; set clip or pad_seconds lower"):
        voice._units(np.zeros(31 * RATE, np.float32))


def test_folders_of_something_else(folder, tmp_path):
    with pytest.raises(ConvertError, match="is not an exported voice"):
        Portable.load(tmp_path)
    about = json.loads((folder / "voice.json").read_text())
    (tmp_path / "voice.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(ConvertError, match="newer svcnb"):
        Portable.load(tmp_path)
    (tmp_path / "voice.json").write_text(json.dumps(about))
    with pytest.raises(ConvertError, match=r"encoder.onnx is missing or damaged"):
        Portable.load(tmp_path).convert(np.ones(RATE, np.float32), RATE, "a", f0=np.full(RATE // HOP, 220.0))


def test_units_stretched_otherwise_are_refused(tmp_path):
    config = small_config(ssl_dim=64).copy_with(data={"unit_interpolate_mode": "linear"})
    with pytest.raises(ExportError, match="stretched by 'linear'"):
        export_voice(Converter(alive(Sovits(config)), config, encoders.get("lesson"), "cpu"), tmp_path)
