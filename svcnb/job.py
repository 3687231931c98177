"""One song on its way through a converter: cut, each piece sung in its place and its time, joined again.

Nothing here knows networks; whatever can `sing` a piece is a converter.

Notebook: 05_infer
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from svcnb import audio
from svcnb.f0 import F0
from svcnb.mixing import Timeline, frame_weights
from svcnb.options import ConvertError, Options
from svcnb.slicer import Chunk
from svcnb.stream import Piece, Source, at_rate, find_chunks, fit, join, one_ahead, plan, writer

LEAST_PAD = 0.1  # seconds of silence around a piece that encoders and predictors need


@dataclass(frozen=True)
class Conversion:
    """A converted song, as long as the song to the sample."""

    sample_rate: int  # Hz
    hop: int  # samples from frame to frame of f0
    f0: F0  # what was sung, N // hop frames
    chunks: list[Chunk]  # how the song was cut, in samples
    speaker: int | None  # None: a mix
    notes: tuple[str, ...]  # sentences for the person, on what may have gone wrong
    sound: np.ndarray | Path = field(repr=False)  # samples (N,), or the file that they were written to

    @property
    def audio(self) -> np.ndarray:
        """Samples (N,), read back if they were written to a file."""
        return audio.load(self.sound)[0] if isinstance(self.sound, Path) else self.sound

    def save(self, path: str | Path) -> None:
        """Write wav, flac, mp3 or ogg, as the suffix says."""
        audio.save(path, self.audio, self.sample_rate)


def perform(
    converter,
    song: str | Path | np.ndarray,
    sample_rate: int | None,
    speaker: int | None,
    mix: Timeline | Mapping | np.ndarray | None,
    options: Options,
    f0: np.ndarray | F0 | None,
    out: str | Path | None,
    progress: Callable[[float, float], None] | None,
) -> Conversion:
    """Bring a whole song through a converter, as Converter.convert says, whose errors it raises."""
    if out is not None:
        _check_output(out, song)
    with Source(song, sample_rate or converter.sample_rate) as source:
        job = Job(converter, source, speaker, mix, options, f0, progress)
        if out is None:
            sound = np.concatenate(list(job.blocks()))
        else:
            sound = Path(out)
            with writer(sound, converter.sample_rate) as write:
                for block in job.blocks():
                    write(block)
    return Conversion(converter.sample_rate, converter.hop, job.melody, job.chunks, speaker, tuple(job.notes()), sound)


class Job:
    """One song on its way through a Converter: what comes out, which melody was sung, what the person should know."""

    def __init__(self, converter, source: Source, speaker, mix, options: Options, f0, progress):
        self.converter, self.source, self.speaker, self.options = converter, source, speaker, options
        self.rate, self.hop, self.progress = converter.sample_rate, converter.hop, progress
        frames = self._at(source.samples) // self.hop
        speakers = converter.speakers, converter.n_speakers
        self.mix = None if mix is None else frame_weights(mix, *speakers, max(1, frames))
        self.own = None if f0 is None else _own_melody(f0, frames)
        self.melody = F0(np.zeros(frames), np.zeros(frames, bool))
        self.found = find_chunks(source, options.slice_db)
        self.chunks = [Chunk(self._at(chunk.start), self._at(chunk.end), chunk.voiced) for chunk in self.found]

    def _at(self, sample: int) -> int:
        """Where a sample of the source is in the result."""
        return at_rate(sample, self.source.sample_rate, self.rate)

    def blocks(self) -> Iterator[np.ndarray]:
        """The result, piece by piece."""
        return join(self._parts(), self.options.linear_gradient_retain)

    def _parts(self) -> Iterator[tuple[np.ndarray, int]]:
        rate = self.source.sample_rate
        pieces = plan(self.found, rate, self.options.clip, self.options.linear_gradient)
        for piece, sing in one_ahead((piece, self._hear(piece)) for piece in pieces):
            yield sing(), self._at(piece.start + piece.overlap) - self._at(piece.start)
            if self.progress is not None:
                self.progress(piece.end / rate, self.source.samples / rate)

    def _hear(self, piece: Piece) -> Callable[[], np.ndarray]:
        """What sings a piece, once it is heard; a converter that can not hear first does both then."""
        start, end, rate = self._at(piece.start), self._at(piece.end), self.source.sample_rate
        if not piece.voiced:
            return partial(np.zeros, end - start, np.float32)
        pad = int(max(self.options.pad_seconds, LEAST_PAD) * rate)
        wav = np.pad(self.source.read(piece.start, piece.end), pad)
        before = pad * self.rate // rate
        after = self._at(len(wav)) - before - (end - start)
        first = (start - before) / self.hop  # frame of the song at which the padded piece begins
        frames = (before + end - start + after) // self.hop
        own = None if self.own is None else shift_frames(self.own, first, frames)
        hear = getattr(self.converter, "hear", None) or partial(partial, self.converter.sing)
        sing = hear(wav, rate, self._singer(first, frames), self.options, own)
        return partial(self._sing, sing, start, end, before, after)

    def _sing(self, sing: Callable[[], tuple], start: int, end: int, before: int, after: int) -> np.ndarray:
        """A piece from sample start to end of the result; it comes with so many samples more before and after."""
        sound, f0 = sing()
        first = (start - before) / self.hop
        frames = range(-(-start // self.hop), min(-(-end // self.hop), len(self.melody.hz)))
        sung = shift_frames(f0, frames.start - first, len(frames))
        self.melody.hz[frames.start : frames.stop] = sung.hz
        self.melody.voiced[frames.start : frames.stop] = sung.voiced
        return fit(sound[before : len(sound) - after], end - start)

    def _singer(self, first: float, frames: int) -> int | np.ndarray:
        """The speaker, or the mix in `frames` frames from `first` on."""
        if self.mix is None:
            return self.speaker
        return self.mix[np.round(first + np.arange(frames)).astype(int).clip(0, len(self.mix) - 1)]

    def notes(self) -> Iterator[str]:
        """What the person should know about the result."""
        if not any(chunk.voiced for chunk in self.chunks):
            yield (
                f"Nothing in the song is louder than {self.options.slice_db:g} dB, so the result is silent; "
                "lower slice_db to convert quieter singing."
            )
        elif not self.melody.voiced.any():
            yield (
                "No pitch was found in the song, so the result is breath without notes; lower f0_threshold or "
                "try another f0_predictor."
            )
        if self.converter.diffusion is not None and self.converter.enhancer is not None:
            yield "The enhancer is left out: the diffusion model's vocoder has the last word."
        if self.options.second_encoding and self.converter.alone(self.options):
            yield "second_encoding has no effect: a diffusion model alone has no voice before it to hear."


def shift_frames(f0: F0, first: float, frames: int) -> F0:
    """`frames` of a pitch curve from frame `first` on, which may lie between two; unvoiced beyond its ends."""
    at = first + np.arange(frames)
    near = np.round(at).astype(int)
    inside = (near >= 0) & (near < len(f0.hz))
    voiced = inside & f0.voiced[near.clip(0, len(f0.hz) - 1)] if len(f0.hz) else inside
    hz = np.interp(at, np.arange(len(f0.hz)), f0.filled()) if len(f0.hz) else np.zeros(frames)
    return F0(np.where(voiced, hz, 0), voiced)


def not_empty(wav: np.ndarray, frames: int) -> slice:
    """Of so many frames, those from the first sample that is not 0 to the last."""
    at = np.flatnonzero(wav)
    return slice(at[0] * frames // len(wav), -(-(at[-1] + 1) * frames // len(wav))) if len(at) else slice(0, 0)


def _own_melody(f0: np.ndarray | F0, frames: int) -> F0:
    hz = np.asarray(f0.hz if isinstance(f0, F0) else f0, np.float64)
    if hz.ndim != 1 or abs(len(hz) - frames) > 1:  # one more or less: the rounding of a resampler
        raise ConvertError(f"The melody has the shape {hz.shape}, but this song has {frames} frames, one per hop.")
    if not (np.isfinite(hz).all() and (hz >= 0).all()):
        raise ConvertError("The melody must be in Hz, 0 where unvoiced; this one holds other values.")
    return F0(hz, hz > 0)


def _check_output(out: str | Path, song: str | Path | np.ndarray) -> None:
    audio.output_format(out)
    if isinstance(song, (str, Path)) and Path(out).resolve() == Path(song).resolve():
        raise ConvertError(f"{out} is the song itself; give the result another name.")
