"""UnitsView: the units of a song as points in a plane, alike beside alike; point at one and hear its moment.

    view = UnitsView(units, wav, 44100, groups=phones)
    view                     # a cell's last line: move over the points, or press ← →
    view.chosen              # the frame that was heard last

Notebook: 02_features
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb.widgets.base import Widget, flac, module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_GROUPS = 24  # pairs of a colour and a shape that can be told apart


class UnitsView(Widget):
    """Units (T, D) of a sound (N,), one frame after the other, in two dimensions."""

    DEEDS = ("choose",)
    _esm = module("units_view.js")
    points = t.Bytes().tag(sync=True)  # (T, 2) float32, 0 to 1
    seconds = t.Bytes().tag(sync=True)  # (T,) float32: the middle of each frame
    group = t.Bytes().tag(sync=True)  # (T,) uint8: the number of its group
    groups = t.List(t.Unicode()).tag(sync=True)
    sound = t.Bytes().tag(sync=True)  # a flac file
    chosen = t.Int(-1).tag(sync=True)

    def __init__(
        self, units: np.ndarray, wav: np.ndarray, sample_rate: int, groups: Sequence[str] | None = None, seed: int = 0
    ):
        """groups: a name for each frame, which gives it its colour. Raises ValueError when the numbers do not agree."""
        units = np.asarray(units, np.float32)
        if units.ndim != 2 or len(units) < 3 or not np.isfinite(units).all():
            raise ValueError(f"UnitsView needs finite units (T, D) of three frames at least, not {units.shape}.")
        labels = ["frame"] * len(units) if groups is None else [str(name) for name in groups]
        names = list(dict.fromkeys(labels))
        if len(labels) != len(units):
            raise ValueError(f"There are {len(labels)} names of groups for {len(units)} frames; each needs one.")
        if len(names) > MOST_GROUPS:
            raise ValueError(f"{len(names)} groups can not be told apart by eye; take {MOST_GROUPS} at most.")
        self._flat, self._labels, self._seconds = plane(units, seed), labels, _middles(len(units), wav, sample_rate)
        super().__init__(
            points=self._flat.tobytes(),
            seconds=self._seconds.tobytes(),
            group=np.array([names.index(label) for label in labels], np.uint8).tobytes(),
            groups=names,
            sound=flac(np.asarray(wav, np.float32), sample_rate),
        )

    def choose(self, frame: int) -> None:
        """Hear a frame, and say when it was sung and of which group it is. Raises ValueError."""
        if not 0 <= frame < len(self._labels):
            raise ValueError(f"There is no frame {frame}; there are {len(self._labels)}.")
        self.chosen = frame
        self.said = f"{self._labels[frame]}, {self._seconds[frame]:.2f} s"

    def figure(self) -> "Figure":
        """The points, a colour and a shape for each group."""
        from svcnb.plots import points

        return points(self._flat, self._labels)


def plane(units: np.ndarray, seed: int = 0) -> np.ndarray:
    """Units (T, D) as places (T, 2), 0 to 1, neighbours kept together: t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    units = np.asarray(units, np.float32)
    reduced = PCA(min(16, *units.shape), random_state=seed).fit_transform(units)
    near = min(30, (len(units) - 1) / 3)
    flat = TSNE(2, perplexity=near, init="pca", random_state=seed, max_iter=500).fit_transform(reduced)
    low, high = flat.min(0), flat.max(0)
    return ((flat - low) / np.maximum(high - low, 1e-9)).astype(np.float32)


def _middles(frames: int, wav: np.ndarray, sample_rate: int) -> np.ndarray:
    return ((np.arange(frames) + 0.5) * len(wav) / sample_rate / frames).astype(np.float32)
