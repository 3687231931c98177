"""The lesson encoder: exact on long sound, deaf to loudness, and it hears the words of a singer it never met."""

import numpy as np
import pytest
import torch

from svcnb import encoders, lesson
from svcnb.audio import resample

PHRASE = lesson.Song("phrase", 88, lesson.SONGS["row"].notes[:12])  # of a held-out song


@pytest.fixture(scope="module")
def encoder():
    return encoders.get("lesson", device="cpu")


def sung(singer):
    """Sound at 16 kHz, and the phoneme in the middle of each frame of units."""
    wav, truth = lesson.sing(singer, PHRASE, hop=lesson.RATE // 100)
    wav = resample(wav, lesson.RATE, 16000)
    return wav, truth.phone[1::2][: len(wav) // 320]


def test_one_vector_per_20_ms(encoder):
    for samples in (400, 640, 16000, 16319):
        units = encoder.units(np.zeros(samples, np.float32))
        assert units.shape == (samples // 320, 64) and torch.isfinite(units).all()


def test_long_sound_is_the_same_in_windows_and_at_once(encoder):
    wav = torch.from_numpy(np.tile(sung("clara")[0], 5))[: 40 * 16000]
    whole = encoder.encode([wav])[0]
    torch.testing.assert_close(encoder.units(wav), whole, atol=1e-4, rtol=0)


def test_loudness_does_not_count(encoder):
    wav, _ = sung("tomas")
    loud, soft = encoder.units(wav), encoder.units(wav / 20)
    assert (loud - soft).abs().mean() < 0.05


def test_same_words_same_units_whoever_sings(encoder):
    (bass, phones), (soprano, _) = sung("bruno"), sung("mina")
    low, high = encoder.units(bass), encoder.units(soprano)
    frames = torch.from_numpy(phones > 0)
    apart = (low - high)[frames].square().mean()
    shuffled = (low[frames] - high[frames].roll(40, 0)).square().mean()
    assert apart < 0.35 * shuffled


def test_units_tell_the_phoneme(encoder):
    """A centroid per phoneme, learnt from three singers, names most frames of a fourth."""
    pairs = [(encoder.units(wav).numpy(), phones) for wav, phones in map(sung, ("bruno", "tomas", "clara"))]
    units, phones = np.concatenate([u for u, _ in pairs]), np.concatenate([p for _, p in pairs])
    centres = {phone: units[phones == phone].mean(0) for phone in np.unique(phones)}
    wav, truth = sung("mina")
    distance = np.stack([np.square(encoder.units(wav).numpy() - centre).sum(1) for centre in centres.values()])
    guess = np.array(list(centres))[distance.argmin(0)]
    assert (guess == truth).mean() > 0.7
