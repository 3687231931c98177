"""Feature retrieval: a unit is replaced by a mean of the eight nearest units of the singer's own recordings.

Notebook: 06_mixing_export
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from svcnb.config import Config
from svcnb.retrieval.clusters import COUNT, kmeans
from svcnb.retrieval.corpus import RetrievalError, Units, as_queries, entry, mix_in, units_of, vectors

NEIGHBOURS = 8
LARGE = 200_000  # units of one singer above which their k-means centres are stored instead
TRAINING = 39  # units that faiss wants for training a cell


class Index:
    """A faiss index of the units of each singer, by number."""

    def __init__(self, cells: Mapping[int, Any]):
        self.cells = dict(cells)

    @classmethod
    def fit(cls, units: Iterable[tuple[int, np.ndarray]], seed: int = 0) -> "Index":
        """An index of pairs (speaker number, units (N, D)), as the original builds it but for its random order."""
        return cls({number: _build(vectors(values, f"speaker {number}"), seed) for number, values in units})

    @classmethod
    def of(cls, work: str | Path, seed: int = 0) -> "Index":
        """An index of every singer of a prepared work folder. Raises RetrievalError."""
        numbers = Config.load(Path(work) / "configs/config.json").spk
        found = ((numbers[name], values) for name, values in units_of(work) if name in numbers)
        index = cls.fit(found, seed)
        for name, number in numbers.items():
            if number not in index.cells:
                raise RetrievalError(f"There are no features of {name} in {work}; run `svcnb prepare` again.")
        return index

    def blend(self, units: Units, speaker: int, ratio: float) -> Units:
        """Units (T, D) with the share `ratio`, 0 to 1, of what is retrieved for each. Raises RetrievalError.

        Neighbours count by 1/d⁴ of their distance d. A unit that is stored itself retrieves itself, and one in a cell
        without any stays as it is.
        """
        cells = entry(self.cells, speaker)
        queries = as_queries(units, cells.d, ratio)
        squares, ids, near = cells.search_and_reconstruct(queries, NEIGHBOURS)
        squares = squares.clip(np.finfo(np.float32).tiny)
        weights = np.where(ids < 0, 0, (squares.min(1, keepdims=True) / squares) ** 2)
        near = np.where(ids[..., None] < 0, queries[:, None], near)
        weights[ids[:, 0] < 0, 0] = 1
        found = np.einsum("tk,tkd->td", weights / weights.sum(1, keepdims=True), near)
        return mix_in(units, found.astype(np.float32), ratio)


def _build(units: np.ndarray, seed: int):
    import faiss

    if len(units) > LARGE:
        units = kmeans(units, COUNT, seed)
    units = np.random.default_rng(seed).permutation(units)
    count = max(1, min(int(16 * len(units) ** 0.5), len(units) // TRAINING))
    cells = faiss.index_factory(units.shape[1], f"IVF{count},Flat")
    cells.cp.min_points_per_centroid = 1  # silences a warning about small ones
    cells.train(units)
    cells.add(units)
    return cells
