"""A song in pieces: read, planned, joined and written one by one, so that an hour needs no more memory than a minute.

Notebook: 05_infer
"""

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import librosa
import numpy as np
import soundfile

from svcnb.audio import BLOCK, AudioError, crossfade, open_sound, output_format, read_next, to_int16
from svcnb.files import whole_file
from svcnb.slicer import Chunk, Frames, slice_loudness

T = TypeVar("T")
LONGEST = 25.0  # seconds converted at once where no silence is met: bounds memory, and Whisper hears 30 s at most
OVERLAP = 0.5  # seconds of crossfade at such a forced cut


class Source:
    """A mono recording that is read a stretch at a time: `samples` long at `sample_rate`."""

    def __init__(self, song: str | Path | np.ndarray, sample_rate: int):
        """`song` is a file of any kind and rate, or an array (N,), (channels, N) or (N, channels) at `sample_rate`.

        Raises AudioError when it is missing, empty, cut short or not audio.
        """
        self.file = self.wav = None
        self._begin, self._held = 0, np.zeros(0, np.float32)  # what was read from the file and may be wanted again
        if isinstance(song, (str, Path)):
            self.name, self.file = Path(song), open_sound(song)
            self.samples, self.sample_rate = self.file.frames, self.file.samplerate
        else:
            self.name, self.wav, self.sample_rate = "The sound", _mono(song), sample_rate
            self.samples = len(self.wav)
        if not self.samples:
            raise AudioError(f"{self.name} holds no sound; record it again.")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples start to stop, (stop - start,) float32, silence beyond the ends. Raises AudioError for NaN."""
        first, last = max(start, 0), min(stop, self.samples)
        wav = self.wav[first:last] if self.file is None else self._read_file(first, last)
        if not np.isfinite(wav).all():
            second = (first + np.flatnonzero(~np.isfinite(wav))[0]) / self.sample_rate
            raise AudioError(f"{self.name} holds values that are not numbers, from {second:.2f} s on; export it again.")
        return np.pad(wav, (first - start, stop - last))

    def _read_file(self, first: int, last: int) -> np.ndarray:
        """Forwards only: after a jump, mp3 and ogg files give wrong samples for a while."""
        if first < self._begin:
            self.file.seek(0)
            self._begin, self._held = 0, self._held[:0]
        self._forget(first)
        while (have := self._begin + len(self._held)) < last:
            block = read_next(self.file, min(BLOCK, self.samples - have), self.name)
            self._held = np.concatenate([self._held, block])
            self._forget(first)
        return self._held[: last - first]

    def _forget(self, before: int) -> None:
        gone = min(max(0, before - self._begin), len(self._held))
        self._begin, self._held = self._begin + gone, self._held[gone:]

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_) -> None:
        if self.file is not None:
            self.file.close()


def _mono(song: np.ndarray) -> np.ndarray:
    wav = np.asarray(song)
    if np.issubdtype(wav.dtype, np.integer):
        wav = wav / (np.iinfo(wav.dtype).max + 1)
    if wav.ndim == 2:
        wav = wav.mean(axis=int(np.argmin(wav.shape)))
    if wav.ndim != 1:
        raise AudioError(f"A sound is an array (N,) or (channels, N), but this has the shape {wav.shape}.")
    return wav.astype(np.float32)


def at_rate(sample: int, rate: int, to: int) -> int:
    """Place of a sample at another rate, to the nearest sample; halves are rounded up."""
    return (2 * sample * to + rate) // (2 * rate)


def find_chunks(source: Source, threshold_db: float) -> list[Chunk]:
    """The silence slicer's chunks of a source that is read once, in blocks."""
    frames = Frames.of(source.sample_rate)
    if source.samples <= frames.min_length:  # as the slicer does
        return [Chunk(0, source.samples, True)]
    total, step = source.samples // frames.hop + 1, max(1, BLOCK // frames.hop)
    curve = []
    for first in range(0, total, step):
        begin = first * frames.hop - frames.window // 2
        wav = source.read(begin, begin + (min(step, total - first) - 1) * frames.hop + frames.window)
        curve.append(librosa.feature.rms(y=wav, frame_length=frames.window, hop_length=frames.hop, center=False)[0])
    return slice_loudness(np.concatenate(curve), source.samples, frames, threshold_db)


@dataclass(frozen=True)
class Piece:
    """A stretch to convert at once, in samples; its first `overlap` samples belong to the piece before it, too."""

    start: int
    end: int
    voiced: bool
    overlap: int = 0


def plan(chunks: Iterable[Chunk], sample_rate: int, clip: float = 0, overlap: float = 0) -> Iterator[Piece]:
    """Cut chunks into pieces of `clip` seconds, each but the first of a chunk begun `overlap` seconds early.

    With clip 0 only what is longer than 25 s is cut, evenly and with half a second of overlap.
    """
    for chunk in chunks:
        length, longest = chunk.end - chunk.start, int(LONGEST * sample_rate)
        if clip and chunk.voiced:
            step, lead = int(clip * sample_rate), int(overlap * sample_rate)
        else:
            step, lead = -(-length // -(-length // longest)), int(OVERLAP * sample_rate) if chunk.voiced else 0
        for start in range(chunk.start, chunk.end, step):
            early = lead if start > chunk.start else 0
            yield Piece(start - early, min(start + step, chunk.end), chunk.voiced, early)


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, each made by a thread of its own while the one before is in use."""
    items, end = iter(items), object()
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, items, end)
            yield item


def fit(wav: np.ndarray, length: int) -> np.ndarray:
    """wav brought to `length` samples: what is too long loses its end, what is too short is centred in silence."""
    missing = max(0, length - len(wav))
    return np.pad(wav[:length], (missing // 2, missing - missing // 2))


def join(parts: Iterable[tuple[np.ndarray, int]], retain: float = 1.0) -> Iterator[np.ndarray]:
    """Join parts (wav, overlap with the one before) into one stream, given out as soon as it is final.

    The crossfade takes the middle share `retain` of the overlap.
    """
    held = np.zeros(0, np.float32)
    for wav, overlap in parts:
        yield held[: len(held) - overlap]
        fade = int(overlap * retain)
        before = (overlap - fade) // 2
        held = crossfade(held[len(held) - overlap :][: before + fade], wav[before:], fade)
    yield held


@contextmanager
def writer(path: str | Path, sample_rate: int) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that appends mono samples to a wav, flac (16 bit), mp3 or ogg file, as the suffix says.

    The file appears when the block ends, whole, or not at all; values beyond ±1 are clipped. Raises AudioError for
    another suffix, OSError with advice when it cannot be written.
    """
    kind = output_format(path)
    sound = {"samplerate": sample_rate, "channels": 1, "format": kind}
    with whole_file(path) as part, _explained(part), soundfile.SoundFile(part, "w", **sound) as file:
        yield lambda wav: file.write(to_int16(wav) if kind in ("WAV", "FLAC") else np.clip(wav, -1, 1))


@contextmanager
def _explained(part: Path) -> Iterator[None]:
    """libsndfile only says `System error`; the disk says more."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        full = shutil.disk_usage(part.parent).free < BLOCK
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from None
