"""Does retrieval help? What it takes of the source singer and of the words, measured at every ratio.

    songs = [lesson.sing("clara", song, hop=leak.HOP) for song in ("twinkle", "brother", "grace")]
    readings = leak.measure(
        converter, {"index": index}, [leak.Phrase.sung("emil", "clara")], leak.Ear(songs), "clara"
    )

Units carry some of the singer. Retrieval draws them towards units of the target's own recordings, and what is not
there, a rare sound, is replaced by what sounds nearly like it. So the source goes, and words go with it.

Two traps: the phrases must not be among the recordings, or everything is found again; and a judge that took part in the
conversion is a kind one. The ear below shares the lesson encoder with the lesson voice, so compare its shares with
those of other ratios and of the true target, not with one.

Notebook: 06_mixing_export
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from svcnb import audio, encoders, lesson, probes
from svcnb.convert import Converter
from svcnb.evaluate import timbre_similarity
from svcnb.retrieval import Clusters, Index

HOP = 882  # samples between two units of the lesson encoder, and between two phones of a phrase
RATIOS = 0, 0.5, 1


@dataclass(frozen=True)
class Phrase:
    """A phrase to convert, and the truth about it; sound is at `lesson.RATE`."""

    source: np.ndarray  # (N,) as it is sung
    target: np.ndarray  # (N,) as the target singer sings it, in the source's manner
    phone: np.ndarray  # (N // HOP,) index in `lesson.PHONES`; 0 is silence
    semitones: float  # from the source's key to the target's

    @classmethod
    def sung(
        cls, source: str, target: str, song: str = lesson.HELD_OUT_SONGS[0], start: float = 0, seconds: float = 5
    ) -> "Phrase":
        """Seconds of a song as two lesson singers sing it. Raises KeyError."""
        wav, truth = lesson.sing(source, song, hop=HOP)
        true_target, _ = lesson.sing(target, song, hop=HOP, manner=source)
        frames = slice(int(start * lesson.RATE / HOP), int((start + seconds) * lesson.RATE / HOP))
        part = slice(frames.start * HOP, frames.stop * HOP)
        return cls(wav[part], true_target[part], truth.phone[frames], lesson.semitones(source, target))


@dataclass(frozen=True)
class Reading:
    """What conversions at one ratio keep, as means over the phrases."""

    ratio: float  # share of what was retrieved
    target: float  # similarity to the target singer
    source: float  # similarity to the source singer
    words: float  # share of the sung frames whose phone is understood

    def __str__(self) -> str:
        return f"ratio {self.ratio:4.2f}: target {self.target:5.2f}, source {self.source:5.2f}, words {self.words:4.0%}"


class Ear:
    """Understands what is sung, whoever sings: a linear reader of phones, taught on units of the lesson encoder."""

    def __init__(self, songs: Iterable[tuple[np.ndarray, lesson.Truth]]):
        """Songs as `lesson.sing` returns them, with the truth every HOP samples."""
        self._encoder = encoders.get("lesson", device="cpu")
        heard = [(self._units(wav), truth.phone) for wav, truth in songs]
        units, phones = zip(*[(u[: len(phone)], phone[: len(u)]) for u, phone in heard], strict=True)
        self._read = probes.reader(np.concatenate(units), np.concatenate(phones))

    def understands(self, wav: np.ndarray, phone: np.ndarray) -> float:
        """Share of the frames that are not silent whose phone (T,) is read rightly in sound (N,) at `lesson.RATE`."""
        heard = self._read(self._units(wav))[: len(phone)]
        phone = phone[: len(heard)]
        return float((heard == phone)[phone > 0].mean())

    def _units(self, wav: np.ndarray) -> np.ndarray:
        return self._encoder.units(audio.resample(wav, lesson.RATE, encoders.base.RATE)).numpy()


def measure(
    converter: Converter,
    retrievals: Mapping[str, Clusters | Index],
    phrases: Sequence[Phrase],
    ear: Ear,
    speaker: str,
    ratios: Sequence[float] = RATIOS,
    similarity: Callable[[np.ndarray, np.ndarray], float] = timbre_similarity,
) -> dict[str, list[Reading]]:
    """Readings for each retrieval by name, one for each ratio, of phrases converted to a speaker.

    Ratio 0 is converted once for all. similarity: of two sounds at 44.1 kHz. Raises ConvertError, RetrievalError.
    """
    plain = _read(converter, phrases, ear, speaker, 0, similarity) if 0 in ratios else None
    readings = {}
    for name, retrieval in retrievals.items():
        drawn = copy.copy(converter)
        drawn.retrieval = retrieval
        readings[name] = [
            _read(drawn, phrases, ear, speaker, ratio, similarity) if ratio else plain for ratio in ratios
        ]
    return readings


def _read(converter: Converter, phrases, ear: Ear, speaker: str, ratio: float, similarity: Callable) -> Reading:
    rows = []
    for phrase in phrases:
        options = {"semitones": phrase.semitones, "retrieval_ratio": ratio}
        made = converter.convert(phrase.source, lesson.RATE, speaker, **options)
        wav = audio.resample(made.audio, made.sample_rate, lesson.RATE)
        rows.append(
            (similarity(wav, phrase.target), similarity(wav, phrase.source), ear.understands(wav, phrase.phone))
        )
    return Reading(ratio, *np.mean(rows, axis=0).tolist())
