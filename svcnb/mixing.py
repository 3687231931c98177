"""Mixing voices: several models into one, and several speakers of one model along a song.

A `Timeline` says for each speaker how its share runs through the song, in the original's tracks:

    Timeline({0: [[0, 0.5, 1, 0], [0.5, 1, 0, 0]], 1: [[0, 1, 1, 1]]})  # speaker: [start, end, value, end value], …

Notebook: 06_mixing_export
"""

import ast
import json
import logging
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svcnb.files import write_whole

if TYPE_CHECKING:
    from torch import Tensor

Track = list[tuple[float, float, float, float]]  # start and end as shares of the song, value there and there
log = logging.getLogger(__name__)


class MixError(ValueError):
    """Voices can not be mixed like that; the message says what to do."""


def mix_models(paths: Sequence[str | Path], percent: Sequence[float], mode: str = "convex") -> dict[str, "Tensor"]:
    """The weighted sum of models of one make, as a state dict in the first one's precision.

    mode: `linear` takes the percentages as they are, `convex` the softmax of percent/100, so that the shares add up to
    one; there 100 and 0 give 73 % and 27 %. Parts that the first model lacks are left out. Raises MixError with what
    differs, CheckpointError.
    """
    from svcnb.checkpoint import read_weights

    shares = _shares(paths, percent, mode)
    first = read_weights(paths[0])
    total = {key: shares[0] * tensor.double() for key, tensor in first.items()}
    for path, share in zip(paths[1:], shares[1:], strict=True):
        other = read_weights(path)
        _refuse_differing(first, other, paths[0], path)
        for key in total:
            total[key] += share * other[key]
    return {key: tensor.to(first[key].dtype) for key, tensor in total.items()}


def _shares(paths: Sequence, percent: Sequence[float], mode: str) -> list[float]:
    if not paths or len(paths) != len(percent):
        raise MixError(f"There are {len(paths)} models and {len(percent)} percentages; give one for each model.")
    shares = np.asarray(percent, np.float64) / 100
    if not np.isfinite(shares).all():
        raise MixError("A percentage is no number.")
    if mode not in ("convex", "linear"):
        raise MixError(f"There is no way of mixing called {mode!r}; there are convex and linear.")
    powers = np.exp(shares - shares.max())
    return (powers / powers.sum() if mode == "convex" else shares).tolist()


def _refuse_differing(first: dict, other: dict, path: object, other_path: object) -> None:
    shape = lambda tensor: "×".join(map(str, tensor.shape)) or "one number"
    differing = [
        f"{key} (not there)" if key not in other else f"{key} ({shape(tensor)} and {shape(other[key])})"
        for key, tensor in first.items()
        if key not in other or other[key].shape != tensor.shape
    ]
    if differing:
        more = f" and {len(differing) - 8} more" if len(differing) > 8 else ""
        raise MixError(f"{other_path} is of another make than {path}: {', '.join(differing[:8])}{more}.")
    whole = [
        key for key, tensor in first.items() if not (tensor.is_floating_point() and other[key].is_floating_point())
    ]
    if whole:
        raise MixError(f"{whole[0]} of {path} or {other_path} holds whole numbers, which can not be mixed.")
    if spare := [key for key in other if key not in first]:
        log.warning("%s: %d parts that %s lacks are left out: %s", other_path, len(spare), path, ", ".join(spare))


class Timeline:
    """How much of each speaker sounds, from the beginning of a song (0) to its end (1)."""

    def __init__(self, tracks: Mapping[int, Sequence[Sequence[float]]]):
        """Tracks by speaker number, 0 to S - 1, as segments [start, end, value at start, value at end].

        Where no segment reaches, the value is 0. Raises MixError naming the speaker and the time.
        """
        try:
            tracks = {int(speaker): track for speaker, track in tracks.items()}
        except (TypeError, ValueError, AttributeError):
            raise MixError("The tracks of a mix are a dictionary from speaker numbers to lists of segments.") from None
        if sorted(tracks) != list(range(len(tracks))) or not tracks:
            raise MixError(
                f"The speakers of a mix are numbered from 0 without gaps, but these are {sorted(tracks)}; "
                "give a silent one the track [[0, 1, 0, 0]]."
            )
        self.tracks = {speaker: _track(speaker, tracks[speaker]) for speaker in sorted(tracks)}

    @classmethod
    def from_points(cls, points: Mapping[int, Sequence[tuple[float, float]]]) -> "Timeline":
        """From breakpoints (time, value) of each speaker, joined by straight lines and held to both ends.

        Two points of one time make a jump. Raises MixError.
        """
        return cls({speaker: _segments(speaker, line) for speaker, line in points.items()})

    @classmethod
    def load(cls, path: str | Path) -> "Timeline":
        """Read the original's spkmix.py, of which nothing is run, or tracks as JSON. Raises MixError, OSError."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
            tracks = json.loads(text) if path.suffix == ".json" else _assigned(text, "spk_mix_map")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise MixError(f"{path} holds no tracks that can be read; see Timeline for how they look.") from None
        return cls(tracks)

    def save(self, path: str | Path) -> None:
        """Write tracks as JSON if the name ends in .json, else as the original's spkmix.py. Raises OSError."""
        lists = {speaker: [list(segment) for segment in track] for speaker, track in self.tracks.items()}
        if Path(path).suffix == ".json":
            write_whole(path, json.dumps(lists) + "\n")
        else:
            lines = "".join(f"    {speaker}: {track},\n" for speaker, track in lists.items())
            write_whole(path, f"spk_mix_map = {{\n{lines}}}\n")

    def weights(self, n_frames: int) -> np.ndarray:
        """The share of each speaker per frame, (n_frames, S) float32, each row of sum 1; equal where all are 0."""
        values = np.zeros((n_frames, len(self.tracks)))
        for speaker, track in self.tracks.items():
            for start, end, first, last in track:
                begin, stop = int(n_frames * start), int(n_frames * end)
                values[begin:stop, speaker] = np.linspace(first, last, stop - begin, endpoint=False)
        return normalized(values)


def normalized(values: np.ndarray) -> np.ndarray:
    """Values (T, S), none negative, as float32 shares of sum 1 in each row; equal where all are 0."""
    sums = values.sum(1, keepdims=True)
    return np.where(sums > 0, values / np.where(sums > 0, sums, 1), 1 / values.shape[1]).astype(np.float32)


def frame_weights(mix: object, speakers: Mapping[str, int], count: int, n_frames: int) -> np.ndarray:
    """A mix of `count` speakers as shares per frame, (n_frames, count).

    mix: a Timeline; amounts per frame (T, S), a frame more or less, or for the whole song (S,); or a dictionary of
    speaker names or numbers and amounts. Raises MixError.
    """
    if isinstance(mix, Timeline):
        values = mix.weights(n_frames)
    elif isinstance(mix, Mapping):
        values = np.zeros((1, count))
        for speaker, amount in mix.items():
            number = speakers.get(speaker, speaker)
            if number not in range(count):
                raise MixError(f"This model has no speaker {speaker!r}; it has {', '.join(speakers)}.")
            values[0, number] = amount
    else:
        values = np.atleast_2d(np.asarray(mix, np.float64))
    if values.ndim != 2 or values.shape[1] != count:
        raise MixError(f"The mix is of {values.shape[-1]} speakers, the model has {count}; give each its share, or 0.")
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise MixError("The shares of a mix must be numbers from 0 up.")
    if len(values) != 1 and abs(len(values) - n_frames) > 1:
        raise MixError(f"The mix has {len(values)} frames, but this song has {n_frames}.")
    return normalized(values[np.arange(n_frames).clip(0, len(values) - 1)])


def _track(speaker: int, track: Sequence[Sequence[float]]) -> Track:
    if not isinstance(track, Sequence):
        raise MixError(f"Speaker {speaker}: a track is a list of segments, not {track}.")
    segments, before = [], None
    for segment in track:
        try:
            start, end, first, last = map(float, segment)
        except (TypeError, ValueError):
            raise MixError(f"Speaker {speaker}: a segment is [start, end, value, end value], not {segment}.") from None
        where = f"Speaker {speaker}, segment from {start:g} to {end:g}"
        if not math.isfinite(start + end + first + last):
            raise MixError(f"{where}: times and values must be numbers.")
        if min(first, last) < 0:
            raise MixError(f"{where}: a value is negative; the least is 0.")
        if not 0 <= start < end <= 1:
            raise MixError(f"{where}: times must rise, from 0 at the beginning of the song to 1 at its end.")
        if before is not None and abs(start - before) > 1e-6:
            raise MixError(f"{where}: it must begin at {before:g}, where the one before it ends.")
        segments.append((start, end, first, last))
        before = end
    return segments


def _segments(speaker: int, points: Sequence[tuple[float, float]]) -> Track:
    if not points or any(a[0] > b[0] for a, b in pairwise(points)):
        raise MixError(f"Speaker {speaker}: points (time, value) must follow each other in time, at least one.")
    points = [(0.0, points[0][1]), *points, (1.0, points[-1][1])]
    return [(a, b, first, last) for (a, first), (b, last) in pairwise(points) if a != b]


def _assigned(text: str, name: str) -> object:
    """The literal that Python source assigns to a name; nothing is run."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return ast.literal_eval(node.value)
    raise ValueError(name)
