"""Changing a melody: pitch curves in Hz, a value per frame, 0 where unvoiced; each function returns a new curve.

    higher = shift(hz, semitones=2)
    tuned = to_scale(hz, frame_rate, key="D", mode="major")

Notebook: 05_infer
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import distance_transform_edt, gaussian_filter1d

from svcnb.f0.postprocess import fill

KEYS = "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"
MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "chromatic": tuple(range(12)),
}
PERIOD = 0.2  # seconds of one swing of a singer's vibrato, about
ONE_NOTE = 1.2  # semitones to either side of a note's middle that still belong to it: vibrato does, the next note not
FADE = 0.2  # seconds in which vibrato grows from the edge of a note
LEAST, MOST = 20.0, 5000.0  # Hz


class MelodyError(ValueError):
    """A melody can not be changed like that; the message says what to do."""


def shift(hz: np.ndarray, semitones: float) -> np.ndarray:
    """The curve higher or, below 0, lower."""
    if not abs(semitones) <= 60:
        raise MelodyError(f"A melody can be shifted by at most 60 semitones either way, not {semitones}.")
    return _kept(hz, hz * 2 ** (semitones / 12))


def smooth(hz: np.ndarray, frame_rate: float, seconds: float = 0.05) -> np.ndarray:
    """Jitter of up to about `seconds` gone; steps between notes stay."""
    return _kept(hz, from_semitones(centre(hz, frame_rate, seconds)))


def flatten(hz: np.ndarray, frame_rate: float, amount: float = 1.0) -> np.ndarray:
    """Vibrato gone, at `amount` below 1 partly; above 1 it swells."""
    pitch = to_semitones(hz)
    middle = centre(hz, frame_rate, PERIOD)
    return _kept(hz, from_semitones(pitch + amount * (middle - pitch)))


def vibrato(hz: np.ndarray, frame_rate: float, rate: float = 5.5, depth: float = 50.0) -> np.ndarray:
    """A vibrato of `rate` Hz, `depth` cents to either side, added; it grows and dies over 0.2 s within each stretch."""
    if not 0 < rate < frame_rate / 2:
        raise MelodyError(f"The rate of a vibrato must be above 0 and below {frame_rate / 2:.0f} Hz, not {rate}.")
    edge = distance_transform_edt(np.pad(hz > 0, 1))[1:-1] / frame_rate  # seconds to the nearest unvoiced frame
    swing = np.sin(2 * np.pi * rate * np.arange(len(hz)) / frame_rate) * np.minimum(edge / FADE, 1)
    return _kept(hz, hz * 2 ** (depth / 1200 * swing))


def to_scale(
    hz: np.ndarray, frame_rate: float, key: str = "C", mode: str = "chromatic", strength: float = 1.0
) -> np.ndarray:
    """Each note moved to the nearest one of a scale, at `strength` below 1 part of the way; its vibrato comes along."""
    middle = centre(hz, frame_rate, PERIOD)
    notes = scale(key, mode)
    nearest = notes[np.abs(np.nan_to_num(middle)[:, None] - notes).argmin(1)]
    step = np.where(hz > 0, nearest - middle, 0)
    voiced = np.flatnonzero(hz > 0)
    if len(voiced):  # a voice glides from note to note
        step = gaussian_filter1d(np.interp(np.arange(len(hz)), voiced, step[voiced]), 0.02 * frame_rate)
    return _kept(hz, hz * 2 ** (strength * step / 12))


def voice(hz: np.ndarray) -> np.ndarray:
    """Gaps filled: pitch runs evenly from one side to the other, and is held at the ends."""
    return np.exp(fill(np.log(np.where(hz > 0, hz, 1)))) * bool(hz.any())


def unvoice(hz: np.ndarray) -> np.ndarray:
    """Silence or breath all along."""
    return np.zeros_like(hz)


def draw(hz: np.ndarray, frames: Sequence[float], pitches: Sequence[float]) -> np.ndarray:
    """The curve with a line drawn over it through points given by frame and Hz, in the order of time."""
    frames, pitches = np.asarray(frames, float), np.asarray(pitches, float)
    if not len(frames) == len(pitches) > 0 or not (np.isfinite(frames).all() and (np.diff(frames) >= 0).all()):
        raise MelodyError("A line needs points in the order of time, each with its frame and its pitch.")
    if not (pitches > 0).all():
        raise MelodyError("A line needs a pitch above 0 Hz at each point.")
    drawn = np.arange(max(0, round(frames[0])), min(len(hz) - 1, round(frames[-1])) + 1)
    result = hz.astype(np.float64)
    result[drawn] = np.exp(np.interp(drawn, frames, np.log(pitches.clip(LEAST, MOST))))
    return result


def hum(hz: np.ndarray, hop: int, sample_rate: int) -> np.ndarray:
    """The curve as sound (T * hop,): a tone of five harmonics, silent where it is unvoiced."""
    frames, samples = np.arange(len(hz)), np.arange(len(hz) * hop) / hop
    cycles = np.cumsum(np.interp(samples, frames, voice(hz))) / sample_rate
    loud = np.interp(samples, frames, np.asarray(hz) > 0)
    tone = sum(np.sin(2 * np.pi * k * cycles) / k**2 for k in range(1, 6))
    return (0.2 * loud * tone).astype(np.float32)


def scale(key: str, mode: str) -> np.ndarray:
    """The notes of a scale as MIDI numbers, 0 to 127. Raises MelodyError naming the keys or the modes."""
    if key not in KEYS:
        raise MelodyError(f"There is no key {key!r}; there are {', '.join(KEYS)}.")
    if mode not in MODES:
        raise MelodyError(f"There is no mode {mode!r}; there are {', '.join(MODES)}.")
    return np.array([note for note in range(128) if (note - KEYS.index(key)) % 12 in MODES[mode]], float)


def centre(hz: np.ndarray, frame_rate: float, seconds: float) -> np.ndarray:
    """Where the middle of the note is at each frame, as MIDI numbers, NaN where unvoiced.

    A mean over about `seconds` to either side, which leaves out what is further from the local median than a note is
    wide, so that steps stay steps.
    """
    pitch = to_semitones(hz)
    sigma = max(0.5, 0.4 * seconds * frame_rate)
    middle = _median(_windows(pitch, max(1, round(seconds / 2 * frame_rate))))
    windows = _windows(pitch, reach := int(np.ceil(3 * sigma)))
    near = np.abs(windows - middle[:, None]) < ONE_NOTE
    weight = near * np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    total = weight.sum(1)
    mean = np.where(near, windows, 0) * weight
    return np.where(total > 0, mean.sum(1) / np.where(total > 0, total, 1), pitch)


def to_semitones(hz: np.ndarray) -> np.ndarray:
    """MIDI numbers of Hz, 69 is 440 Hz; NaN where unvoiced."""
    voiced = hz > 0
    return np.where(voiced, 69 + 12 * np.log2(np.where(voiced, hz, 440) / 440), np.nan)


def from_semitones(pitch: np.ndarray) -> np.ndarray:
    """Hz of MIDI numbers, 0 where NaN."""
    return np.nan_to_num(440 * 2 ** ((pitch - 69) / 12))


def _windows(pitch: np.ndarray, reach: int) -> np.ndarray:
    return sliding_window_view(np.pad(pitch, reach, constant_values=np.nan), 2 * reach + 1)


def _median(windows: np.ndarray) -> np.ndarray:
    """Median of each window's voiced frames, NaN where it has none."""
    count = (~np.isnan(windows)).sum(1)
    sorted_ = np.sort(windows, axis=1)  # NaN sorts last
    at = lambda index: np.take_along_axis(sorted_, np.maximum(index, 0)[:, None], 1)[:, 0]
    return (at((count - 1) // 2) + at(count // 2)) / 2


def _kept(hz: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """`changed` where the curve is voiced, within what can be sung or heard."""
    return np.where(hz > 0, changed.clip(LEAST, MOST), 0.0)
