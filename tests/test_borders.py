"""Where a song is cut by force, a mix that runs on is not heard to be cut: the spectrum jumps no further than it would.

The jump is the mean change of 64 mel bands, in dB, from one 6 ms to the next.
"""

import librosa
import numpy as np
import pytest

from svcnb import lesson
from svcnb.convert import Converter
from svcnb.mixing import Timeline

RATE, CLIP, OVERLAP, STEP = lesson.RATE, 1.5, 0.3, 256
FILES = {"voice": {}, "both": {"diffusion": lesson.diffusion_path(), "vocoder": lesson.vocoder_path()}}
FILES["diffusion"] = {**FILES["both"], "model": None}


@pytest.fixture(scope="module")
def song():
    return lesson.sing("tomas", "row")[0][: 5 * RATE]


def jumps(wav):
    """Of a conversion, from each border's crossfade to 20 ms behind it."""
    mel = librosa.feature.melspectrogram(y=wav, sr=RATE, n_fft=1024, hop_length=STEP, n_mels=64)
    change = np.abs(np.diff(librosa.power_to_db(mel, ref=1, top_db=70), axis=1)).mean(0)
    borders = np.arange(CLIP, 5, CLIP)
    return np.concatenate([change[int((b - OVERLAP) * RATE / STEP) - 4 : int(b * RATE / STEP) + 5] for b in borders])


@pytest.mark.parametrize("way", FILES)
def test_borders_of_a_mix_are_not_heard(song, way):
    converter = Converter.load(**{"model": lesson.voice_path(), "device": "cpu", **FILES[way]})
    silent = {number: [[0, 1, 0, 0]] for number in converter.speakers.values()}
    tracks = {converter.speakers["clara"]: [[0, 1, 1, 0]], converter.speakers["mina"]: [[0, 1, 0, 1]]}
    sing = lambda **cuts: jumps(converter.convert(song, mix=Timeline(silent | tracks), semitones=6, **cuts).audio)
    whole, cut = sing(), sing(clip=CLIP, linear_gradient=OVERLAP)
    assert cut.max() < 1.2 * whole.max() and cut.mean() < 1.2 * whole.mean()
    if way == "voice":
        assert sing(clip=CLIP).max() > 1.3 * whole.max(), "a border without a crossfade is seen"
