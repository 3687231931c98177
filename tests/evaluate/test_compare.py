from functools import partial

import numpy as np
import pytest

from svcnb import audio, evaluate, lesson
from svcnb.evaluate import Scores, measures, take
from svcnb.evaluate.take import Take

compare = partial(evaluate.compare, f0="pm")  # the quickest

RATE, HOP = evaluate.RATE, evaluate.HOP
DISTANCES = ("mel_distance", "mcd", "envelope_distance")


@pytest.fixture(autouse=True)
def without_resemblyzer(monkeypatch):
    for module in (evaluate, measures):
        monkeypatch.setattr(module, "voice_encoder", lambda: None)


def timbre_similarity(a, b):
    return measures.cosine(Take(a, RATE, "pm").timbre, Take(b, RATE, "pm").timbre)


def voice(semitones=0.0, formants=(700, 1200, 2600, 3500), seconds=2.0):
    """A sung vowel with vibrato: harmonics under four resonances, faded in and out."""
    t = np.arange(round(seconds * RATE)) / RATE
    hz = 220 * 2 ** ((semitones + 0.3 * np.sin(2 * np.pi * 5.5 * t) + 2 * t) / 12)
    phase, wav = 2 * np.pi * np.cumsum(hz) / RATE, 0.003 * np.random.default_rng(0).standard_normal(len(t))
    for k in range(1, 50):
        gain = sum(1 / (1 + ((k * hz - f) / (60 + 0.05 * f)) ** 2) for f in formants)
        wav += gain * (k * hz < 11000) / np.sqrt(k * hz / 220) * np.sin(k * phase)
    swell = np.interp(t, [0, 0.1, 1.0, seconds - 0.1, seconds], [0, 1, 0.4, 1, 0])
    return (0.1 * wav * swell / np.sqrt(np.mean(wav**2))).astype(np.float32)


def test_a_sound_against_itself_is_perfect():
    wav = voice()
    scores = compare(wav, wav, wav)
    for name in ("f0_median_cents", "f0_gross", "f0_rmse_cents", "vuv_error", "loudness_difference", *DISTANCES):
        assert getattr(scores, name) == pytest.approx(0, abs=1e-6), name
    for name in (
        "f0_correlation",
        "intelligibility",
        "loudness_correlation",
        "timbre_similarity",
        "timbre_similarity_source",
    ):
        assert getattr(scores, name) == pytest.approx(1), name


def test_fifty_cents_are_fifty_cents():
    low, high = voice(), voice(0.5)
    scores = compare(high, source=low)
    assert scores.f0_median_cents == pytest.approx(50, abs=2) and scores.f0_rmse_cents == pytest.approx(50, abs=5)
    assert 0.2 < scores.f0_gross < 0.8 and scores.f0_correlation > 0.99
    right = compare(high, source=low, semitones=0.5)
    assert right.f0_median_cents < 2 and right.f0_gross < 0.02
    assert compare(low, source=high, semitones=-12).f0_median_cents == pytest.approx(1150, abs=2)


def test_the_shift_is_of_the_source_and_a_reference_stays_as_it_is():
    low, high = voice(), voice(7)
    assert compare(high, high, low, semitones=7).f0_median_cents < 2
    assert compare(high, high, semitones=7).f0_median_cents == 0


def test_gain_changes_loudness_and_nothing_else():
    wav = voice()
    scores = compare(0.5 * wav, wav)
    assert scores.loudness_difference == pytest.approx(-6.02, abs=0.02)
    assert scores.loudness_correlation == pytest.approx(1, abs=1e-3)
    assert all(getattr(scores, name) < 0.05 for name in DISTANCES) and scores.timbre_similarity > 0.999


def test_another_swell_lowers_the_loudness_correlation():
    wav = voice()
    flat = wav / np.interp(np.arange(len(wav)) / RATE, [0, 0.1, 1.0, 1.9, 2], [1, 1, 0.4, 1, 1]).astype(np.float32)
    assert compare(flat, source=wav).loudness_correlation < 0.9


def test_the_envelope_does_not_hear_pitch_and_the_mel_does():
    wav, higher, other = voice(), voice(3), voice(formants=(400, 2000, 2900, 4200))
    pitch, vowel = compare(higher, wav), compare(other, wav)
    assert pitch.envelope_distance < 0.3 * vowel.envelope_distance
    assert pitch.mel_distance > 0.3 and vowel.mel_distance > 0.3
    assert timbre_similarity(higher, wav) > timbre_similarity(other, wav) + 0.2


def test_intelligibility_asks_for_the_same_sounds_at_the_same_time():
    wav = lesson.sing("tomas", "row")[0][: 6 * RATE]
    singer = lesson.sing("clara", "row", manner="tomas")[0][: 6 * RATE]
    level = np.repeat(audio.rms(wav, 2205, HOP), HOP)[: len(wav)]
    buzz = level * (np.arange(len(wav)) % 200 < 3)
    marks = [compare(made, source=wav).intelligibility for made in (0.3 * singer, wav[::-1], buzz, np.zeros_like(wav))]
    assert marks[0] > 0.65 and all(mark < 0.25 for mark in marks[1:]), marks
    assert compare(wav, source=singer).intelligibility == pytest.approx(marks[0], abs=0.1)


def test_silence_around_a_song_says_nothing_of_its_words():
    wav, noise = voice(), 0.1 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    quiet = np.zeros(4 * RATE, np.float32)
    around = lambda sound: np.concatenate([quiet, sound, quiet])
    assert compare(around(noise), source=around(wav)).intelligibility < 0.3


def test_voicing_errors_are_counted():
    wav = voice()
    broken = wav.copy()
    broken[RATE : RATE + RATE // 2] = 0.02 * np.random.default_rng(0).standard_normal(RATE // 2)
    assert compare(broken, source=wav).vuv_error == pytest.approx(0.25, abs=0.05)


def test_alignment_forgives_time_and_measures_the_rest():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((300, 24)) * 0.1
    slow = np.repeat(a, 2, axis=0)[:300]
    assert measures.aligned_distance(a[:150], slow) < 1e-9 < measures.aligned_distance(a, slow[::-1])
    apart = np.zeros((10, 24)), np.full((10, 24), 0.0) + np.eye(24)[0] * 0.5
    assert measures.aligned_distance(*apart) == pytest.approx(0.5 * 10 / np.log(10) * np.sqrt(2))


def test_a_singer_is_more_like_herself_in_another_song():
    names = list(lesson.SINGERS)[:2]
    takes = {(name, song): lesson.sing(name, song)[0][: 6 * RATE] for name in names for song in ("vowels", "mary")}
    for name in names:
        same = timbre_similarity(takes[name, "vowels"], takes[name, "mary"])
        others = [timbre_similarity(takes[name, "vowels"], takes[other, "mary"]) for other in names if other != name]
        assert same > max(others), (name, same, others)


def test_files_and_other_rates_are_read(tmp_path):
    wav = voice()
    audio.save(tmp_path / "a.wav", wav, RATE)
    slow = audio.resample(wav, RATE, 32000)
    assert compare(tmp_path / "a.wav", tmp_path / "a.wav").mel_distance == 0
    assert compare(slow, slow, sample_rate=32000).f0_median_cents == 0
    assert compare(str(tmp_path / "a.wav"), wav).mel_distance < 0.05


def test_scores_are_a_small_table_of_what_was_measured():
    scores = Scores(f0_median_cents=5.25, mcd=float("nan"))
    assert str(scores).splitlines() == ["f0_median_cents               5.250", "mcd                             nan"]
    source_only = compare(voice(), source=voice())
    assert source_only.mel_distance is None and source_only.timbre_similarity is None
    assert source_only.timbre_similarity_source > 0.99


@pytest.mark.filterwarnings("error")
def test_silence_and_breath_give_no_pitch_but_no_failure():
    wav, silence = voice(), np.zeros(2 * RATE, np.float32)
    noise = 0.01 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    for made in (silence, noise):
        scores = compare(made, wav, wav)
        assert np.isnan(scores.f0_median_cents) and np.isnan(scores.f0_correlation) and scores.vuv_error > 0.5
        assert np.isnan(scores.timbre_similarity) and np.isnan(scores.envelope_distance)
        assert scores.mel_distance > 1 and abs(scores.intelligibility) < 0.3
    scores = compare(wav, silence)
    assert np.isnan(scores.mel_distance) and np.isnan(scores.intelligibility)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="Give a reference"):
        compare(voice())
    for wav in (np.zeros(100), np.full(RATE, np.nan), np.zeros((2, RATE))):
        with pytest.raises(ValueError, match=r"at least 0\.1 s"):
            compare(wav, voice())


def test_the_voice_embedding_is_optional(monkeypatch):
    assert evaluate.speaker_similarity(voice(), voice()) is None
    assert compare(voice(), voice()).speaker_similarity is None

    class Encoder:
        embed_utterance = staticmethod(lambda wav: np.array([1.0, np.mean(wav > 0)]))

    for module in (evaluate, measures, take):
        monkeypatch.setattr(module, "voice_encoder", lambda: (Encoder, lambda wav, source_sr: wav))
    assert compare(voice(), voice(), voice()).speaker_similarity == pytest.approx(1)
    assert 0.5 < evaluate.speaker_similarity(voice(), np.abs(voice())) < 0.999
