"""Probes on units of which it is known what they know."""

import numpy as np
import pytest

from svcnb import probes
from svcnb.lesson import PHONES, Truth


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_accuracy_finds_what_is_there_and_guesses_what_is_not(rng):
    labels = rng.integers(0, 4, 800)
    knowing = np.eye(4)[labels] + 0.1 * rng.normal(size=(800, 4))
    blind = rng.normal(size=(800, 4))
    score = lambda units: probes.accuracy(units[:400], labels[:400], units[400:], labels[400:])
    assert score(knowing) > 0.98 and 0.15 < score(blind) < 0.35


def test_explained_is_the_share_of_the_variance(rng):
    units = rng.normal(size=(2000, 5))
    value = units @ [1, 2, 0, 0, 0] + np.sqrt(5) * rng.normal(size=2000)  # half signal, half noise
    assert probes.explained(units[:1000], value[:1000], units[1000:], value[1000:]) == pytest.approx(0.5, abs=0.06)


def test_distance_is_0_for_the_same_and_1_for_strangers(rng):
    a, b = rng.normal(size=(2, 500, 16))
    assert probes.distance(a, a) == 0
    assert probes.distance(a, b) == pytest.approx(1, abs=0.03)
    assert 0.3 < probes.distance(a, a + 0.5 * b) < 0.7
    assert probes.distance(a, 3 * a[:400]) > 0, "cut to one length"


def test_every_phone_of_the_lesson_has_a_kind():
    kinds = {phone: probes.kind(phone) for phone in PHONES}
    assert kinds["iy"] == kinds["ow"] == "vowel" and kinds["m"] == "nasal" and kinds["r"] == "glide"
    assert kinds["s"] == "hiss" and kinds["t"] == "burst" and kinds[""] == "silence"
    consonants = [phone for phone in PHONES[PHONES.index("br") :]]
    assert "vowel" not in [kinds[phone] for phone in consonants]
    with pytest.raises(ValueError, match="no phone 'xx'"):
        probes.kind("xx")


def truth_of(rng, frames=300):
    phone = rng.integers(0, len(PHONES), frames)
    return Truth(f0=rng.uniform(100, 400, frames), voiced=phone > 0, phone=phone)


def test_an_examination_finds_what_each_kind_of_units_tells(rng):
    truths = [truth_of(rng) for _ in range(6)]  # two songs of three singers
    names = sorted({probes.kind(phone) for phone in PHONES})
    words = [np.eye(6)[[names.index(probes.kind(PHONES[p])) for p in truth.phone]] for truth in truths]
    bodies = [np.eye(3)[np.full(300, number % 3)] for number in range(6)]
    melody = [np.log(truth.f0)[:, None] for truth in truths]
    told = [probes.examine(units, truths) for units in (words, bodies, melody)]
    assert told[0].sound == 1 and told[1].singer == 1 and told[2].pitch == pytest.approx(1, abs=1e-3)
    assert told[0].singer < 0.5 and told[0].pitch < 0.1 and told[1].sound < 0.7 and told[2].singer < 0.5
    with pytest.raises(ValueError, match="Two songs of two singers"):
        probes.examine(words[:3], truths[:3])


def test_the_spectrogram_shows_the_pitch_s_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100).astype(np.float32)
    table = probes.log_mel(tone, 44100, 882)
    assert table.shape == (50, 64) and len(set(table[5:-5].argmax(1))) == 1
