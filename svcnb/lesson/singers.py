"""Singers made of arithmetic: a small source-filter singing synthesizer, and the truth behind every sound it makes.

Each glottal pulse is built in the frequency domain, as source spectrum times vocal tract spectrum at that instant, and
added at its exact, fractional time: nothing aliases, and F0 is known exactly. Breath, fricatives and bursts are noise,
shaped frame by frame.

A trap to know: the singers were chosen by a speaker-similarity score, and a score maximised finds an artefact. Chosen
by it alone, two of them had F4 on top of F5, a whistle at 3.7 kHz that the score loved; limits in the search stop it.

Notebook: 01_data
"""

from dataclasses import dataclass

import numpy as np

from svcnb.lesson.performance import STEP, Curves, perform
from svcnb.lesson.phones import COLOURS
from svcnb.lesson.score import Song, plan
from svcnb.lesson.songs import find as find_song
from svcnb.lesson.tract import NOISE, PULSE, RATE, glottis, levels, tract
from svcnb.lesson.voices import Singer, find

LEAD = 768  # samples of a pulse response before the glottis closes


@dataclass
class Truth:
    """What was sung, at samples 0, hop, 2 hop, …: T = N // hop frames."""

    f0: np.ndarray  # (T,) Hz, also where nothing voiced sounds: there the pitch that the singer has in mind
    voiced: np.ndarray  # (T,) bool: over 10 % of the level of a plain vowel
    phone: np.ndarray  # (T,) index in svcnb.lesson.PHONES; 0 is silence


def sing(
    singer: Singer | str,
    song: Song | str,
    transpose: float = 0,
    seed: int = 0,
    hop: int = 512,
    manner: Singer | str | None = None,
) -> tuple[np.ndarray, Truth]:
    """Sing a song: 44.1 kHz audio (N,) float32 and its truth, the same samples for the same arguments.

    All singers keep the same timing, so two renditions of a song are parallel frame by frame. `transpose` is in
    semitones, on top of the singer's own tessitura. With `manner=source` the singer follows the source's every move of
    pitch and loudness: what a perfect conversion of `sing(source, song)` would sound like.
    """
    audio, curves = render(singer, song, transpose, seed, manner)
    i = np.arange(len(audio) // hop) * hop / STEP
    f0 = np.interp(i, np.arange(len(curves.f0)), curves.f0)
    near = i.astype(int)
    return audio, Truth(f0, (curves.voice * curves.loudness)[near] > 0.1, curves.phone[near])


def render(singer, song, transpose=0, seed=0, manner=None) -> tuple[np.ndarray, Curves]:
    """Like `sing`, but returns every control curve behind the sound: one value per STEP samples."""
    singer = find(singer)
    manner = find(manner or singer)
    song = find_song(song)
    curves = perform(singer, manner, *plan(song, np.random.default_rng(seed)), transpose, seed)
    rng = np.random.default_rng([seed, singer.seed, 2])
    audio = _voiced(singer, curves, rng) * levels(singer)[0] + _noise(singer, curves, rng)
    return (audio * 0.08 / np.sqrt(np.mean(audio**2))).astype(np.float32), curves


def _voiced(singer, c, rng):
    """Add one response of the tract per glottal pulse."""
    freq, out = np.fft.rfftfreq(PULSE, 1 / RATE), np.zeros(len(c.time) * STEP + 2 * PULSE)
    times = np.interp(np.arange(1, c.cycles[-1]), c.cycles, c.time)
    times = times[c.voice[(times * RATE / STEP).astype(int)] > 0.01]
    for t in np.array_split(times, len(times) // 256 + 1):
        i = (t * RATE / STEP).astype(int)
        f0, gain = c.f0[i], c.voice[i] * c.loudness[i]
        where = (t + singer.jitter * rng.standard_normal(len(t)) / f0) * RATE + PULSE - LEAD
        tilt = singer.tilt * gain.clip(0.2) / 0.8  # louder is brighter
        gain = gain / np.sqrt(f0) * (1 + singer.shimmer * rng.standard_normal(len(t)))
        spec = glottis(freq, f0[:, None], singer.open_quotient, tilt[:, None])
        spec *= tract(singer, freq, c.formants[i], c.nasal[i]) * gain[:, None]
        spec *= np.exp(-2j * np.pi / RATE * (LEAD + where % 1)[:, None] * freq)
        for row, start in zip(np.fft.irfft(spec), where.astype(int), strict=True):
            out[start : start + PULSE] += row
    return out[PULSE:-PULSE]


def _noise(singer, c, rng):
    """Aspiration through the tract, and frication of its own colour: white noise shaped frame by frame."""
    freq, window, n = np.fft.rfftfreq(NOISE, 1 / RATE), np.hanning(NOISE + 1)[:-1], len(c.time) * STEP
    fine = lambda x: np.interp(np.arange(n) / RATE, c.time, x)
    pulsing = 1 + 0.6 * fine(c.voice) * np.cos(2 * np.pi * fine(c.cycles))
    hiss = np.sqrt((c.frication**2).sum(1)) + 1e-9
    breath = (c.aspiration + singer.breath * c.voice) * c.loudness
    white = rng.standard_normal((2, n)) * pulsing * [fine(breath), fine(hiss)]
    shapes = _colours(singer, freq)
    out, starts, air = np.zeros(n), np.arange(0, n - NOISE, NOISE // 4), levels(singer)[1]
    for part in np.array_split(starts, len(starts) // 512 + 1):
        i, frames = (part + NOISE // 2) // STEP, part[:, None] + np.arange(NOISE)
        spec = np.fft.rfft(white[0][frames] * window) * np.abs(tract(singer, freq, c.formants[i], c.nasal[i])) * air
        spec += np.fft.rfft(white[1][frames] * window) * (c.frication[i] @ shapes / hiss[i, None])
        for row, start in zip(np.fft.irfft(spec) * window / 1.5, part, strict=True):
            out[start : start + NOISE] += row
    return out


def _colours(singer, freq):
    """Magnitudes (colours, bins) of frication; a shorter tract hisses higher."""
    hz = freq.clip(20) / singer.tract**0.5
    shapes = np.array([sum(g * np.exp(-0.5 * (np.log2(hz / f) / o) ** 2) for f, o, g in c) for c in COLOURS.values()])
    return shapes / np.sqrt((shapes**2).mean(1, keepdims=True))
