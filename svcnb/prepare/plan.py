"""Where to cut a recording: between phrases, into clips of 5 to 15 seconds, at the quietest place where it must be.

Notebook: 01_data
"""

from dataclasses import dataclass

import numpy as np

from svcnb.audio import rms

HOP = 0.01  # seconds from one measurement of loudness to the next
SHORTEST, LONGEST = 5.0, 15.0  # seconds that a clip should have; one that stands alone may be shorter
LEAST = 0.5  # seconds below which a clip is of no use
CLICK = 0.1  # seconds of sound between silences that are no singing
PAUSE = 0.3  # seconds of silence that end a phrase
JOIN = 2.0  # seconds of silence that may remain inside a clip
MARGIN = 0.1  # seconds of silence kept around a phrase: breath and decay
SILENCE_DB = -70.0  # a recording that is never louder is silent


@dataclass(frozen=True)
class Loudness:
    """Loudness over time: `level` (F,) in dB every `hop` samples, smoothed over 0.2 s as `smooth`; `voiced` (F,)."""

    hop: int
    level: np.ndarray
    smooth: np.ndarray
    voiced: np.ndarray

    @classmethod
    def of(cls, wav: np.ndarray, sample_rate: int) -> "Loudness":
        """Measure wav (N,): what counts as sound lies 40 dB under the loudest, or less where the noise is higher."""
        hop = max(1, round(sample_rate * HOP))
        power = rms(wav, 4 * hop, hop).astype(np.float64) ** 2
        level, smooth = _db(power), _db(np.convolve(power, np.full(20, 1 / 20), "same")[: len(power)])
        loudest, noise = smooth.max(), np.percentile(level, 5)
        threshold = np.clip(noise + 6, loudest - 40, loudest - 25)
        return cls(hop, level, smooth, (level > threshold) & (loudest > SILENCE_DB))


def _db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-12))


def plan_clips(wav: np.ndarray, sample_rate: int, loudness: Loudness) -> list[tuple[int, int]]:
    """The clips of a recording as (start, end) in samples; none if it is silent.

    A recording that is a clip already stays in one piece, as the original takes it.
    """
    second = sample_rate / loudness.hop  # frames
    phrases = _phrases(loudness.voiced, second, len(loudness.level))
    pieces = [piece for start, end in phrases for piece in _split(start, end, loudness.smooth, second)]
    pieces = _join(pieces, second)
    if len(pieces) == 1 and len(wav) <= LONGEST * sample_rate:
        return [(0, len(wav))]
    clips = [(start * loudness.hop, min(end * loudness.hop, len(wav))) for start, end in pieces]
    return [(start, end) for start, end in clips if end - start >= LEAST * sample_rate]


def _phrases(voiced: np.ndarray, second: float, frames: int) -> list[tuple[int, int]]:
    """Stretches of sound that hold no long pause, with a margin of silence around; a click is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    phrases: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if phrases and start - phrases[-1][1] < PAUSE * second:
            phrases[-1] = (phrases[-1][0], end)
        else:
            phrases.append((start, end))
    margin = round(MARGIN * second)
    return [(max(0, a - margin), min(frames, b + margin)) for a, b in phrases if b - a > CLICK * second]


def _split(start: int, end: int, level: np.ndarray, second: float) -> list[tuple[int, int]]:
    """A stretch in pieces that are not too long, cut where it is quietest and nothing too short is left."""
    shortest, longest = round(SHORTEST * second), round(LONGEST * second)
    pieces = []
    while end - start > longest:
        first, last = start + shortest, min(start + longest, end - shortest)
        cut = first + int(level[first : last + 1].argmin())
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _join(pieces: list[tuple[int, int]], second: float) -> list[tuple[int, int]]:
    """Short pieces together with those that follow until they are long enough; what is left over, with the one before.

    The pause between must be short, and the whole not too long.
    """
    for which in (0, 1):  # first where the one before is short, then where the one after is
        joined: list[tuple[int, int]] = []
        for piece in pieces:
            if joined and _fit(pair := (joined[-1], piece), second) and _length(pair[which]) < SHORTEST * second:
                joined[-1] = (pair[0][0], piece[1])
            else:
                joined.append(piece)
        pieces = joined
    return pieces


def _fit(pair: tuple[tuple[int, int], tuple[int, int]], second: float) -> bool:
    (start, pause_start), (pause_end, end) = pair
    return pause_end - pause_start <= JOIN * second and end - start <= LONGEST * second


def _length(piece: tuple[int, int]) -> int:
    return piece[1] - piece[0]
