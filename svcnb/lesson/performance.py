"""From a score to control curves: how this singer moves pitch, loudness, tongue, velum and breath.

Notebook: 01_data
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from svcnb.lesson.phones import COLOURS, CONSONANTS, PHONES, VOWELS
from svcnb.lesson.score import Span
from svcnb.lesson.tract import RATE
from svcnb.lesson.voices import Singer

STEP = 64  # samples between two points of a control curve (1.45 ms)


@dataclass
class Curves:
    """Control curves, one value every STEP samples."""

    time: np.ndarray  # seconds
    f0: np.ndarray  # Hz
    cycles: np.ndarray  # periods since the start
    loudness: np.ndarray  # linear
    phone: np.ndarray  # index in PHONES
    targets: np.ndarray  # (n, 3) F1..F3 in Hz, as an adult male without habits would have them
    formants: np.ndarray  # (n, 5) Hz, this singer's
    nasal: np.ndarray
    voice: np.ndarray
    aspiration: np.ndarray
    frication: np.ndarray  # (n, colours)


def perform(
    singer: Singer, manner: Singer, spans: list[Span], notes: list, seconds: float, transpose: float, seed: int
) -> Curves:
    """Control curves of a song with the body of one singer and the manner (pitch, loudness) of another or the same."""
    n = 8 * round(seconds * RATE / STEP / 8)
    body, habits = np.random.default_rng([seed, singer.seed, 1]), np.random.default_rng(singer.seed)
    expression, words = np.random.default_rng([seed, manner.seed]), np.random.default_rng([seed, 3])
    f0, loudness = _melody(manner, notes, n, expression), _loudness(notes, n, expression)
    f0 *= 2 ** ((singer.transpose - manner.transpose + transpose) / 12)
    targets, nasal, phone, voice, aspiration, frication = _articulate(spans, n, words)
    own = habits.normal(1, singer.habit, (len(PHONES), 3))[phone]
    upper = np.array([3450, 4350]) * (1 + 0.012 * _slow(n, 120, body, 2)) * (targets[:, 2:] / 2450) ** 0.2
    formants = np.hstack([targets * _smooth(own, 17), upper]) * singer.tract
    formants[:, 0] = np.maximum(formants[:, 0], 1.05 * f0 / singer.shift[0])  # F1 stays above F0, as sopranos do
    cycles = np.cumsum(f0 - np.diff(f0, prepend=0) / 2) * STEP / RATE
    time = np.arange(n) * STEP / RATE
    return Curves(time, f0, cycles, loudness, phone, targets, formants, nasal, voice, aspiration, frication)


def _articulate(spans, n, rng):
    """Formant targets, nasality, phoneme, voice, aspiration and frication: the words, the same for every singer."""
    phone, targets, nasal = np.zeros(n, int), np.full((n, 3), 500.0), np.zeros(n)
    voice, aspiration, frication = np.zeros(n), np.zeros(n), np.zeros((n, len(COLOURS)))
    vowels = [i for i, span in enumerate(spans) if span.phone in VOWELS]
    for i, (name, part, start, end) in enumerate(spans):
        a, b = _at(start, n), _at(end, n)
        phone[a:b] = PHONES.index(name)
        if name in VOWELS:
            vowel = np.array(VOWELS[name]).reshape(-1, 3) * rng.normal(1, 0.015, 3)
            first, last = vowel[0], vowel[-1]
            c = max(a, b - _at(0.09 + 0.12 * min(1, end - start), n))
            targets[a:c], targets[c:b], voice[a:b] = first, np.linspace(first, last, b - c), 1
            if spans[i - 1].phone == "br":  # a soft attack
                voice[a:b] *= np.clip(np.arange(b - a) / _at(rng.uniform(0.03, 0.1), n), 0, 1)
            if i + 1 == len(spans) or spans[i + 1].start > end + 0.02 or spans[i + 1].phone == "br":  # and a soft end
                voice[a:b] *= np.clip(np.arange(b - a)[::-1] / _at(rng.uniform(0.1, 0.18), n), 0, 1) ** 0.7
        else:
            _, voice[a:b], puff, hiss, colour, *target, pull, nasal[a:b] = CONSONANTS[name][part]
            near = min(vowels, key=lambda j: abs(j - i) + 0.5 * (j < i))
            vowel = VOWELS[spans[near].phone]
            pulled = np.array(vowel[:3] if near > i else vowel[-3:])
            targets[a:b] = (1 - pull) * np.array(target) * rng.normal(1, 0.02, 3) + pull * pulled
            force = rng.uniform(0.7, 1.3)
            swell = force * np.sqrt(np.hanning(b - a)) if end - start > 0.05 else force  # hiss swells, bursts do not
            aspiration[a:b], frication[a:b, list(COLOURS).index(colour)] = puff * swell, hiss * swell
            frication[a:b, rng.integers(len(COLOURS))] += 0.2 * hiss * swell  # no hiss is quite like another
        targets[b:] = targets[b - 1]
    targets = np.exp(_smooth(np.log(targets), 17))
    return targets, _smooth(nasal, 14), phone, _smooth(voice, 7), _smooth(aspiration, 5), _smooth(frication, 3)


def _melody(manner, notes, n, rng):
    """F0 in Hz: glides between notes, a scoop into each phrase, vibrato on long notes, drift."""
    time, pitch, vibrato = np.arange(n) * STEP / RATE, np.full(n, float(notes[0][2])), np.zeros(n)
    rate, depth, delay = manner.vibrato
    before, height = 0.0, notes[0][2]
    for start, end, midi in notes:
        late = rng.uniform(-0.08, -0.02)
        if start > before + 0.05:  # a phrase begins with a scoop, other notes glide in
            low = midi - manner.scoop * rng.uniform(0.3, 1.5)
            pitch += (low - height) * (time >= before)
            height, late = low, 0
        goal = midi + rng.normal(0, 0.05)
        pitch += (goal - height) * _step(time - start - late, manner.glide * rng.uniform(0.7, 1.6), rng)
        onset = _at(start + delay * rng.uniform(0.7, 1.3), n)
        vibrato[onset : _at(end, n)] = (end - start > 0.5) * rng.uniform(0.6, 1.3)
        before, height = end, goal
    swing = np.sin(np.cumsum(2 * np.pi * rate * (1 + 0.05 * _slow(n, 300, rng)) * STEP / RATE))
    pitch += _smooth(vibrato, 110) * depth / 100 * swing * (1 + 0.15 * _slow(n, 200, rng))
    pitch += 0.04 * _slow(n, 25, rng) + 0.06 * _slow(n, 250, rng) + manner.transpose
    return 440 * 2 ** ((pitch - 69) / 12)


def _loudness(notes, n, rng):
    """Linear loudness: an arc over each phrase, high and long notes stronger, an accent here, a swell there."""
    level, first = np.zeros(n), 0
    for k, (start, end, midi) in enumerate(notes):
        a, b, long = _at(start - 0.05, n), _at(end, n), min(1, end - start)
        x = np.linspace(0, 1, b - a)
        level[a:] = 0.2 * (midi - 62) + 1.5 * long + rng.normal(0, 0.7)
        level[a:b] += rng.choice([0, 0, 3]) * np.exp(-8 * x * (end - start))
        level[a:b] += rng.uniform(-1, 4) * long * np.sin(np.pi * x)
        if k + 1 == len(notes) or notes[k + 1][0] > end + 0.05:  # the phrase ends here
            a, first = _at(notes[first][0] - 0.05, n), k + 1
            arc = np.sin(np.pi * np.linspace(0.1, 0.95, b - a) ** rng.uniform(0.7, 1.6))
            level[a:b] += rng.uniform(2, 5) * (arc - 0.7)
    return 10 ** ((_smooth(level, 50) + 0.25 * _slow(n, 80, rng)) / 20) * 0.8


def _step(time, glide, rng):
    """A damped spring's answer to a step at time 0: the pitch overshoots its new note a little, or not."""
    damping = rng.uniform(0.6, 0.9)
    w = 2 * np.pi * glide * time.clip(0)
    swing = np.sqrt(1 - damping**2)
    return 1 - np.exp(-damping * w) * (np.cos(swing * w) + damping / swing * np.sin(swing * w))


def _at(seconds, n):
    return int(np.clip(round(seconds * RATE / STEP), 0, n))


def _smooth(x, ms):
    return gaussian_filter1d(x, ms / 1000 * RATE / STEP, axis=0)


def _slow(n, ms, rng, columns=None):
    """Slow random wandering of unit spread."""
    x = _smooth(rng.standard_normal(n if columns is None else (n, columns)), ms)
    return x / x.std(axis=0)
