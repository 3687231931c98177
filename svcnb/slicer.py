"""Cutting a recording at its silences, so that nothing is cut inside a word and long pauses are not worked on.

Notebook: 01_data
"""

from dataclasses import dataclass

import numpy as np

from svcnb.audio import rms


@dataclass(frozen=True)
class Chunk:
    """A stretch of a recording, in samples; `voiced` is False where it is silence."""

    start: int
    end: int
    voiced: bool


@dataclass(frozen=True)
class Frames:
    """The slicer's settings counted in samples (hop, window) and in frames (the rest)."""

    hop: int
    window: int
    min_length: int
    min_interval: int
    max_silence: int

    @classmethod
    def of(cls, sample_rate, min_length=5.0, min_interval=0.3, hop=0.02, max_silence_kept=5.0) -> "Frames":
        if not (min_length >= min_interval >= hop > 0 and max_silence_kept >= hop):
            raise ValueError("The slicer needs min_length >= min_interval >= hop and max_silence_kept >= hop.")
        step = round(sample_rate * hop)
        length, interval, kept = (
            round(sample_rate * seconds / step) for seconds in (min_length, min_interval, max_silence_kept)
        )
        return cls(step, min(round(sample_rate * min_interval), 4 * step), length, interval, kept)


def slice_silence(
    wav: np.ndarray,
    sample_rate: int,
    threshold_db: float = -40.0,
    min_length: float = 5.0,
    min_interval: float = 0.3,
    hop: float = 0.02,
    max_silence_kept: float = 5.0,
) -> list[Chunk]:
    """Split wav (N,) at silences into chunks that follow on one another from 0 to N; lengths are in seconds.

    A silence is a cut when it lasts `min_interval` and the chunk before it at least `min_length`. Of a long one
    `max_silence_kept` stays on each side, and the rest is a chunk that is not voiced. Raises ValueError for lengths
    that contradict one another.
    """
    frames = Frames.of(sample_rate, min_length, min_interval, hop, max_silence_kept)
    if len(wav) <= frames.min_length:  # the original compares samples with frames here
        return [Chunk(0, len(wav), True)]
    return slice_loudness(rms(wav, frames.window, frames.hop), len(wav), frames, threshold_db)


def slice_loudness(loudness: np.ndarray, length: int, frames: Frames, threshold_db: float = -40.0) -> list[Chunk]:
    """The same for a recording of `length` samples of which only the rms per frame is at hand."""
    return _chunks(_silences(loudness, 10 ** (threshold_db / 20), frames), frames.hop, length)


def _silences(loudness: np.ndarray, threshold: float, frames: Frames) -> list[tuple[int, int]]:
    """Where to cut, as (first, last) frame of what is taken for silence; equal where a silence is only split."""
    cuts, clip_start, silence_start = [], 0, None
    for i, quiet in enumerate(loudness < threshold):
        if quiet:
            silence_start = i if silence_start is None else silence_start
        elif silence_start is not None:
            leading = silence_start == 0 and i > frames.max_silence
            middle = i - silence_start >= frames.min_interval and i - clip_start >= frames.min_length
            if leading or middle:
                cuts.append(_cut(loudness, silence_start, i, frames.max_silence))
                clip_start = cuts[-1][1]
            silence_start = None
    total = len(loudness)
    if silence_start is not None and total - silence_start >= frames.min_interval:
        end = min(total, silence_start + frames.max_silence)
        cuts.append((_quietest(loudness, silence_start, end), total + 1))
    return cuts


def _cut(loudness: np.ndarray, start: int, end: int, kept: int) -> tuple[int, int]:
    """What to leave out of a silence of the frames start to end: a point of a short one, the middle of a long one."""
    if end - start <= kept:
        left = right = _quietest(loudness, start, end)
    else:
        left, right = _quietest(loudness, start, start + kept), _quietest(loudness, end - kept, end)
        if start > 0 and end - start <= 2 * kept:  # the kept ends overlap
            middle = _quietest(loudness, end - kept, start + kept)
            left, right = min(left, middle), max(right, middle)
    return (0, right) if start == 0 else (left, right)


def _quietest(loudness: np.ndarray, first: int, last: int) -> int:
    return first + int(loudness[first : last + 1].argmin())


def _chunks(cuts: list[tuple[int, int]], hop: int, length: int) -> list[Chunk]:
    edges, voiced = [0], [True]
    for first, last in cuts:
        edges += [min(first * hop, length), min(last * hop, length)]
        voiced += [False, True]
    chunks = [Chunk(*stretch) for stretch in zip(edges, edges[1:] + [length], voiced, strict=True)]
    return [chunk for chunk in chunks if chunk.end > chunk.start]
