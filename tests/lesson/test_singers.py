"""The lesson singers keep what they promise: the same samples, exact truth, parallel songs."""

import numpy as np
import parselmouth
import pytest
import soundfile

from svcnb import lesson

PHRASE = lesson.Song("phrase", 92, lesson.SONGS["twinkle"].notes[:8])


def cents(a, b):
    return 1200 * np.log2(a / b)


def test_same_arguments_same_samples():
    first, truth = lesson.sing("clara", PHRASE)
    again, _ = lesson.sing(lesson.SINGERS["clara"], PHRASE)
    other, _ = lesson.sing("clara", PHRASE, seed=1)
    assert np.array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)
    assert first.dtype == np.float32 and np.abs(first).max() < 1
    assert len(truth.f0) == len(truth.voiced) == len(truth.phone) == len(first) // 512


@pytest.mark.parametrize("singer", [*lesson.SINGERS, lesson.NEWCOMER])
def test_f0_is_the_pitch_that_sounds(singer):
    wav, truth = lesson.sing(singer, PHRASE)
    pitch = parselmouth.Sound(wav.astype(float), lesson.RATE).to_pitch_ac(512 / lesson.RATE, 50, pitch_ceiling=1000)
    heard = np.array([pitch.get_value_at_time(i * 512 / lesson.RATE) for i in range(len(truth.f0))])
    sure = truth.voiced & np.isfinite(heard)
    assert sure.sum() > 0.9 * truth.voiced.sum()
    assert np.median(np.abs(cents(heard[sure], truth.f0[sure]))) < 5


def test_songs_are_parallel():
    _, low = lesson.sing("bruno", PHRASE)
    _, high = lesson.sing("mina", PHRASE)
    assert np.array_equal(low.phone, high.phone)
    assert (low.voiced == high.voiced).mean() > 0.97
    shift = np.median(cents(high.f0, low.f0))
    assert shift == pytest.approx(100 * lesson.semitones("bruno", "mina"), abs=20)


def test_in_the_manner_of_another_the_melody_is_the_same():
    _, source = lesson.sing("bruno", PHRASE)
    _, target = lesson.sing("mina", PHRASE, manner="bruno")
    np.testing.assert_allclose(cents(target.f0, source.f0), 100 * lesson.semitones("bruno", "mina"), atol=1e-6)
    assert np.array_equal(source.voiced, target.voiced)


def test_the_newcomer_sings_but_is_not_among_the_singers_of_the_lesson_voice():
    assert lesson.NEWCOMER not in lesson.SINGERS
    _, truth = lesson.sing(lesson.NEWCOMER, PHRASE)
    _, clara = lesson.sing("clara", PHRASE)
    assert np.array_equal(truth.phone, clara.phone)
    shift = np.median(cents(truth.f0, clara.f0))
    assert shift == pytest.approx(100 * lesson.semitones("clara", lesson.NEWCOMER), abs=20)


def test_transpose_moves_the_pitch_by_semitones():
    _, plain = lesson.sing("clara", PHRASE)
    _, lower = lesson.sing("clara", PHRASE, transpose=-5)
    np.testing.assert_allclose(cents(lower.f0, plain.f0), -500, atol=1e-6)


def test_every_song_can_be_sung_and_held_out_songs_are_not_trained_on():
    assert set(lesson.TRAIN_SONGS) | set(lesson.HELD_OUT_SONGS) == set(lesson.SONGS)
    assert not set(lesson.TRAIN_SONGS) & set(lesson.HELD_OUT_SONGS)
    words = lambda names: {phone for name in names for note in lesson.SONGS[name].notes for phone in note.phones}
    assert words(lesson.SONGS) < set(lesson.PHONES)
    assert words(lesson.HELD_OUT_SONGS) <= words(lesson.TRAIN_SONGS)


def test_write_songs(tmp_path):
    lesson.write_songs(tmp_path, ["tomas"], ["vowels"])
    wav, rate = soundfile.read(tmp_path / "tomas/vowels.wav", dtype="float32")
    sung, truth = lesson.sing("tomas", "vowels")
    assert rate == lesson.RATE
    np.testing.assert_allclose(wav, sung, atol=1e-4)
    with np.load(tmp_path / "tomas/vowels.npz") as stored:
        assert np.array_equal(stored["f0"], truth.f0) and np.array_equal(stored["phone"], truth.phone)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match=r"no lesson singer anna; there are bruno, .*lena"):
        lesson.sing("anna", "row")
    with pytest.raises(KeyError, match="no lesson song hello; there are twinkle"):
        lesson.sing("lena", "hello")
