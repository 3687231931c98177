import numpy as np
import pytest

from svcnb.prepare.plan import LEAST, LONGEST, SHORTEST, Loudness, plan_clips
from svcnb.prepare.quality import clipped_share, measure
from tests.prepare.conftest import silence, voice

RATE = 16000


def song(*parts, gain=0.3):
    """Seconds of voice, and of silence where negative, joined."""
    return np.concatenate([voice(s, RATE, gain=gain) if s > 0 else silence(-s, RATE) for s in parts])


def plan(wav):
    return [(a / RATE, b / RATE) for a, b in plan_clips(wav, RATE, Loudness.of(wav, RATE))]


def test_phrases_with_long_pauses_between_become_clips_with_a_margin():
    clips = plan(song(-3, 7, -3, 6, -3))
    assert clips == [pytest.approx((2.9, 10.1), abs=0.05), pytest.approx((12.9, 19.1), abs=0.05)]


def test_short_phrases_near_one_another_are_joined_up_to_the_longest_clip():
    clips = plan(song(2, -0.5, 2, -0.5, 2, -0.5, 2, -0.5, 2, -0.5, 2, -0.5, 2, -0.5, 2))
    assert len(clips) > 1
    assert all(SHORTEST <= b - a <= LONGEST for a, b in clips)
    assert all(abs(a % 2.5) < 0.3 or abs(a % 2.5) > 2.2 for a, b in clips)  # each begins with a phrase


def test_short_phrases_far_apart_stay_alone():
    assert len(plan(song(2, -4, 2, -4, 2, -4, 2))) == 4


def test_a_long_stretch_is_cut_at_its_quietest_places():
    wav = voice(32, RATE)
    for second in (11, 22):
        wav[round(second * RATE) : round((second + 0.25) * RATE)] *= 0.1  # not silent, and too short for a pause
    clips = plan(wav)
    assert [round(b, 1) for a, b in clips[:-1]] == [pytest.approx(11.1, abs=0.15), pytest.approx(22.1, abs=0.15)]
    assert clips[0][0] == 0 and clips[-1][1] == pytest.approx(32)


@pytest.mark.parametrize("seconds", [15.5, 19, 21, 47.3, 100])
def test_a_steady_sound_of_any_length_makes_clips_of_the_right_length(seconds):
    clips = plan(song(seconds))
    assert all(SHORTEST <= b - a <= LONGEST + 0.01 for a, b in clips)
    assert sum(b - a for a, b in clips) == pytest.approx(seconds, abs=0.05)


def test_a_recording_that_is_a_clip_stays_whole():
    wav = song(-1, 3, -0.5, 3, -1)
    assert plan(wav) == [(0, len(wav) / RATE)]


def test_scraps_are_dropped():
    assert plan(song(6, -4, LEAST / 5, -4, 6)) == [
        pytest.approx((0, 6.1), abs=0.05),
        pytest.approx((14.0, 20.1), abs=0.05),
    ]


def test_a_click_does_not_make_singing_count_as_silence():
    wav = song(6, -3, 6, gain=0.02)
    wav[8 * RATE] = 1.0
    clips = plan(wav)
    assert clips[0] == pytest.approx((0, 6.1), abs=0.05) and clips[-1][1] == pytest.approx(15.0, abs=0.05)


def test_under_noise_the_threshold_rises():
    wav = song(7, -3, 7)
    wav += 0.01 * np.random.default_rng(0).standard_normal(len(wav)).astype(np.float32)  # 20 dB under the voice
    assert len(plan(wav)) == 2


@pytest.mark.parametrize("wav", [np.zeros(RATE * 3, np.float32), silence(3, RATE) * 0.01, np.zeros(10, np.float32)])
def test_silence_makes_no_clips(wav):
    assert plan(wav) == []


def test_quality_of_a_clean_recording():
    wav = song(6, -3, 6)
    quality = measure(wav, RATE, Loudness.of(wav, RATE))
    assert quality.seconds == 15 and quality.sample_rate == RATE and quality.clipped == 0
    assert quality.silent == pytest.approx(0.2, abs=0.02)
    expected = 20 * np.log10(np.std(voice(6, RATE)) / 1e-4)
    assert quality.snr == pytest.approx(expected, abs=3)


def test_without_a_quiet_moment_the_noise_is_unknown():
    wav = voice(3, RATE)
    assert measure(wav, RATE, Loudness.of(wav, RATE)).snr is None


@pytest.mark.parametrize("full_scale", [1.0, 0.5])
def test_clipping_is_seen_also_when_it_was_made_quieter_later(full_scale):
    wav = np.clip(voice(3, gain=1.5), -1, 1) * full_scale
    expected = np.mean(np.abs(wav) >= full_scale * 0.9999)
    assert clipped_share(wav) == pytest.approx(expected, rel=0.1) and expected > 0.01


def test_a_voice_at_full_scale_is_not_clipped():
    wav = voice(3)
    assert clipped_share(wav / np.abs(wav).max()) < 1e-5
    assert clipped_share(np.zeros(100)) == 0
