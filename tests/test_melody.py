import numpy as np
import pytest

from svcnb import melody

RATE = 86.0  # frames a second


def sung(*notes, seconds=1.0, gap=0):
    """MIDI numbers as a curve, each held for some seconds, unvoiced frames between."""
    pieces = [[melody.from_semitones(np.full(round(seconds * RATE), float(n))), np.zeros(gap)] for n in notes]
    return np.concatenate([part for piece in pieces for part in piece])


def trembling(note, cents, rate=5.5, seconds=2.0):
    seconds = np.arange(round(seconds * RATE)) / RATE
    return melody.from_semitones(note + cents / 100 * np.sin(2 * np.pi * rate * seconds))


def test_shift_moves_what_is_voiced():
    hz = melody.shift(np.array([0.0, 220.0, 330.0]), 12)
    np.testing.assert_allclose(hz, [0, 440, 660])
    with pytest.raises(melody.MelodyError, match="at most 60"):
        melody.shift(hz, float("nan"))


def test_smooth_takes_jitter_and_leaves_steps():
    clean = sung(57, 62, seconds=0.5, gap=9)
    noise = 2 ** (np.random.default_rng(1).normal(0, 0.15, len(clean)) / 12)
    smooth = melody.to_semitones(melody.smooth(clean * noise, RATE))
    wanted = melody.to_semitones(clean)
    assert np.array_equal(np.isnan(smooth), np.isnan(wanted))
    assert np.nanstd(smooth - wanted) < 0.5 * 0.15
    assert np.nanmax(np.abs(smooth - wanted)) < 0.4  # a smeared step of 5 semitones would be 2.5 off


def test_flatten_takes_vibrato_and_keeps_the_note():
    hz = trembling(60.2, cents=70)
    flat = melody.to_semitones(melody.flatten(hz, RATE))[20:-20]
    assert np.ptp(flat) < 0.15 and abs(flat.mean() - 60.2) < 0.03
    half = melody.to_semitones(melody.flatten(hz, RATE, amount=0.5))[20:-20]
    assert np.ptp(half) == pytest.approx(0.7, abs=0.1)


def test_vibrato_has_its_rate_and_depth_and_grows():
    hz = melody.vibrato(sung(60, 60, seconds=2, gap=10), RATE, rate=6, depth=40)
    swing = (melody.to_semitones(hz) - 60) * 100
    assert np.nanmax(swing) == pytest.approx(40, abs=2)
    assert abs(swing[0]) < 3 and np.isnan(swing[172:182]).all() and abs(swing[171]) < 8
    middle = swing[43:129]  # a second
    assert np.sum(np.diff(np.signbit(middle))) in (11, 12)
    with pytest.raises(melody.MelodyError, match="above 0"):
        melody.vibrato(hz, RATE, rate=0)


def test_to_scale_moves_notes_and_their_vibrato():
    hz = np.concatenate([trembling(60.3, 40), np.zeros(8), trembling(61.7, 40)])
    tuned = melody.to_semitones(melody.to_scale(hz, RATE, "C", "major"))
    assert np.nanmean(tuned[20:150]) == pytest.approx(60, abs=0.04)
    assert np.nanmean(tuned[-150:-20]) == pytest.approx(62, abs=0.04)
    assert np.ptp(tuned[20:150]) == pytest.approx(0.8, abs=0.1)  # it still trembles
    half = melody.to_semitones(melody.to_scale(hz, RATE, "C", "major", strength=0.5))
    assert np.nanmean(half[20:150]) == pytest.approx(60.15, abs=0.04)


def test_scales():
    assert {int(n) % 12 for n in melody.scale("D", "major")} == {2, 4, 6, 7, 9, 11, 1}
    assert len(melody.scale("C", "chromatic")) == 128
    for key, mode in (("H", "major"), ("C", "dorian-ish")):
        with pytest.raises(melody.MelodyError, match="there are"):
            melody.scale(key, mode)


def test_voicing():
    hz = np.array([0.0, 100, 0, 0, 0, 400, 0])
    np.testing.assert_allclose(melody.voice(hz), [100, 100, 100 * 2**0.5, 200, 200 * 2**0.5, 400, 400])
    assert not melody.unvoice(hz).any() and not melody.voice(np.zeros(5)).any()


def test_draw_is_a_line_in_semitones():
    hz = melody.draw(np.zeros(10), [2, 6], [100, 400])
    np.testing.assert_allclose(hz[[1, 2, 4, 6, 7]], [0, 100, 200, 400, 0])
    np.testing.assert_allclose(melody.draw(np.zeros(4), [-3, 9], [200, 200]), 200)
    for frames, pitches in (([3, 2], [100, 100]), ([1], [0]), ([], [])):
        with pytest.raises(melody.MelodyError, match="needs"):
            melody.draw(np.zeros(5), frames, pitches)


def test_nothing_voiced_is_no_trouble():
    quiet = np.zeros(50)
    for change in (melody.smooth, melody.flatten, melody.vibrato, melody.to_scale):
        assert not change(quiet, RATE).any()


def test_hum_sounds_the_curve():
    hz = np.where(np.arange(200) < 100, 220.0, 0)
    wav = melody.hum(hz, 441, 44100)
    spectrum = np.abs(np.fft.rfft(wav[: 441 * 90]))
    assert spectrum.argmax() * 44100 / (441 * 90) == pytest.approx(220, abs=2)
    assert len(wav) == 200 * 441 and not wav[441 * 102 :].any() and np.abs(wav).max() < 0.5
