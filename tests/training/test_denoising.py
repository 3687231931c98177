"""What is shown of noise: as much of it as the schedule says, and what the network really sees."""

import numpy as np
import pytest

from svcnb import lesson
from svcnb.convert import Converter
from svcnb.training.denoising import apart, mel_of, noised, spoken, watched


@pytest.fixture(scope="module")
def converter():
    return Converter.load(lesson.voice_path(), diffusion=lesson.diffusion_path(), device="cpu")


@pytest.fixture(scope="module")
def wav():
    return lesson.sing("clara", "vowels")[0][lesson.RATE : lesson.RATE + 20 * 512]


def test_noise_grows_from_step_to_step(converter, wav):
    film = noised(converter, wav, [0, 1, 100, 500, 1000])
    assert film.steps == [0, 1, 100, 500, 1000] and all(mel.shape == (20, 128) for mel in film.mels)
    assert np.array_equal(film.mels[0], mel_of(converter, wav))
    away = [np.abs(mel - film.mels[0]).mean() for mel in film.mels]
    assert away == sorted(away) and away[1] < 0.1
    assert film.mels[4].std() == pytest.approx(7, rel=0.05)  # a noise of 1, in log mel


def test_what_the_network_sees_is_watched(converter, wav):
    film = watched(converter, wav, "emil", f0_predictor="pm", k_step=100, sampler="ddim", speedup=25)
    assert film.steps == [76, 51, 26, 1, 0] and all(mel.shape == (20, 128) for mel in film.mels)
    rough = [np.abs(np.diff(mel)).mean() for mel in film.mels[:4]]
    assert rough == sorted(rough, reverse=True)
    again = watched(converter, wav, "emil", f0_predictor="pm", k_step=100, sampler="ddim", speedup=25)
    assert np.array_equal(film.mels[0], again.mels[0]) and len(again.mels) == 5  # nobody watches any more


def test_a_mel_is_spoken(converter, wav):
    made = spoken(converter, mel_of(converter, wav), np.full(20, 220.0))
    assert made.shape == wav.shape and apart(converter, made, wav) < 1.5
    assert apart(converter, wav, wav) == 0
