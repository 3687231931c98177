"""From a predictor's own frames to the model's: filling gaps, changing the frame rate, smoothing.

Pitch is 0 where unvoiced. Functions named `original` keep habits of so-vits-svc that move or lose frames; the golden
data and nothing else needs them.

Notebook: 02_features
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def fill(hz: np.ndarray, original: bool = False) -> np.ndarray:
    """Pitch (T,) with unvoiced frames interpolated and the ends held; zeros if nothing is voiced.

    `original` repeats a slip of the original's pm, dio and harvest: a single voiced frame is lost, frame 0 counts.
    """
    voiced = np.flatnonzero(hz)
    if len(voiced) == 0:
        return np.zeros(len(hz))
    if original and len(voiced) == 1:
        return np.full(len(hz), hz[0], dtype=np.float64)
    return np.interp(np.arange(len(hz)), voiced, hz[voiced])


def align(hz: np.ndarray, times: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Pitch at `targets` (T,) from pitch at `times` (N,), both in s: voicing of the nearest frame, value between."""
    if len(hz) == 0:
        return np.zeros(len(targets))
    place = np.interp(targets, times, np.arange(len(times)))
    low = place.astype(int)
    high = np.minimum(low + 1, len(hz) - 1)
    share = place - low
    nearest = hz[np.where(share < 0.5, low, high)]
    both = (hz[low] > 0) & (hz[high] > 0)
    return np.where(both, hz[low] + (hz[high] - hz[low]) * share, nearest)


def resize_nearest(hz: np.ndarray, frames: int) -> np.ndarray:
    """Stretch (N,) to (frames,) by frame counts alone, as torch's nearest interpolation does in float32."""
    scale = np.float32(len(hz) / frames)
    index = np.floor(np.arange(frames, dtype=np.float32) * scale).astype(int)
    return hz[np.minimum(index, len(hz) - 1)]


def resize_original(hz: np.ndarray, frames: int) -> np.ndarray:
    """The original's stretch for dio and harvest: linear, a frame beside an unvoiced one is lost, time drifts."""
    gaps = np.where(hz < 0.001, np.nan, hz)
    places = np.arange(0, len(hz) * frames, len(hz)) / frames
    return np.nan_to_num(np.interp(places, np.arange(len(hz)), gaps))


def pad_original(hz: np.ndarray, frames: int) -> np.ndarray:
    """The original's stretch for pm: the missing frames are zeros, half of them on either side."""
    missing = max(frames - len(hz), 0)
    return np.pad(hz, ((missing + 1) // 2, missing // 2))


def mean_filter(values: np.ndarray, width: int = 3) -> np.ndarray:
    """Moving average of (T,) that leaves NaN out; NaN where it has nothing, or zero."""
    windows = sliding_window_view(np.pad(values, width // 2, constant_values=np.nan), width, axis=-1)
    known = ~np.isnan(windows)
    mean = np.where(known, windows, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(mean == 0, np.nan, mean)


def median_filter(values: np.ndarray, width: int = 3) -> np.ndarray:
    """Moving median of (T,) that leaves NaN out; of an even count it takes the lower middle."""
    windows = sliding_window_view(np.pad(values, width // 2, constant_values=np.nan), width, axis=-1)
    count = (~np.isnan(windows)).sum(-1)
    middle = np.maximum((count - 1) // 2, 0)[:, None]
    return np.take_along_axis(np.sort(windows, axis=-1), middle, -1)[:, 0]  # NaN sorts last


def local_mean(
    salience: np.ndarray, cents: np.ndarray, centre: np.ndarray | None = None, clamp: bool = False
) -> np.ndarray:
    """Pitch (T,) in cents: mean of bins `cents` (K,) by salience (T, K), over 9 bins around the strongest or `centre`.

    At either end of the range the window is cut short; `clamp` counts the last bin several times instead.
    """
    centre = salience.argmax(1) if centre is None else centre
    index = centre[:, None] + np.arange(-4, 5)
    inside = np.clip(index, 0, len(cents) - 1)
    weight = np.take_along_axis(salience, inside, 1)
    if not clamp:
        weight = weight * (index == inside)
    return (weight * cents[inside]).sum(1) / np.maximum(weight.sum(1), 1e-12)


def from_cents(cents: np.ndarray) -> np.ndarray:
    """Hz of cents above 10 Hz."""
    return 10 * 2 ** (cents / 1200)


def to_cents(hz: np.ndarray) -> np.ndarray:
    """Cents above 10 Hz."""
    return 1200 * np.log2(np.asarray(hz) / 10)
