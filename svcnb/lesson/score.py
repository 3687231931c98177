"""A score, and its layout in time: which phoneme sounds when. All singers share it, so their songs are parallel.

Notebook: 01_data
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from svcnb.lesson.phones import CONSONANTS, VOWELS


class Note(NamedTuple):
    phones: tuple[str, ...]  # one syllable; empty is a rest
    midi: int
    beats: float


@dataclass(frozen=True)
class Song:
    """Syllables on notes, and the tempo in beats per minute."""

    name: str
    bpm: float
    notes: tuple[Note, ...]


class Span(NamedTuple):
    """A stretch of one phoneme: `part` counts the stretches of a consonant, times in seconds."""

    phone: str
    part: int
    start: float
    end: float


def read(name: str, bpm: float, text: str) -> Song:
    """Read `syllable/midi*beats` tokens; `-` joins the phonemes of a syllable, `_` is a rest, beats default to 1."""
    notes = []
    for token in text.split():
        head, _, beats = token.partition("*")
        syllable, _, midi = head.partition("/")
        phones = () if syllable == "_" else tuple(syllable.split("-"))
        notes.append(Note(phones, int(midi or 0), float(beats or 1)))
    return Song(name, bpm, tuple(notes))


def plan(song: Song, rng: np.random.Generator) -> tuple[list[Span], list[tuple[float, float, int]], float]:
    """Lay a song out in time: a vowel begins on its beat, its consonants borrow from the note before.

    Returns the spans, the notes as (start, end, midi), and the length in seconds.
    """
    notes, syllables, now, rest = [], [], 0.5, 1.0
    for phones, midi, beats in song.notes:
        length = beats * 60 / song.bpm
        if phones:
            start = now + rng.normal(0, 0.01)  # nobody is exactly on the beat
            if notes and not rest:
                notes[-1] = (notes[-1][0], start, notes[-1][2])
            notes.append((start, now + length, midi))
            syllables.append(_syllable(phones, length, rest > 0.2, rng))
        now, rest = now + length, 0 if phones else length
    spans = []
    following = zip([*syllables[1:], ("", [], [])], [*notes[1:], (now, now, 0)], strict=True)
    for (vowel, onset, coda), (start, end, _), ((_, after, _), (then, _, _)) in zip(
        syllables, notes, following, strict=True
    ):
        tight = 0.55 * (end - start) / max(0.001, _total(coda) + _total(after) - then + end)
        for stretch in coda + after:  # leave room for the vowel
            stretch[2] *= min(1, tight)
        stop, at = min(end, then - _total(after)) - _total(coda), start - _total(onset)
        for phone, part, length in [*onset, [vowel, 0, stop - start], *coda]:
            spans.append(Span(phone, part, at, at + length))
            at += length
    return spans, notes, now + 0.5


def _syllable(phones, length, breath, rng):
    """Vowel, onset and coda; a consonant is a list of [phone, part, seconds], shorter where the note is."""
    v = next(i for i, phone in enumerate(phones) if phone in VOWELS)
    onset, coda = (("br",) if breath else ()) + phones[:v], phones[v + 1 :]
    stretches = lambda names: [
        [phone, part, row[0] / 1000 * min(1, 0.4 + length) * rng.uniform(0.85, 1.2)]
        for phone in names
        for part, row in enumerate(CONSONANTS[phone])
    ]
    return phones[v], stretches(onset), stretches(coda)


def _total(stretches):
    return sum(length for _, _, length in stretches)
