"""K-means centres of each singer's units: a unit is replaced by the centre nearest to it.

Notebook: 06_mixing_export
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from svcnb.retrieval.corpus import Units, as_queries, entry, mix_in, units_of, vectors

COUNT = 10_000  # centres for each singer
FEW = 256  # centres that are worth a careful start


class Clusters:
    """Centres (K, D) of each singer, by name."""

    def __init__(self, centers: Mapping[str, np.ndarray]):
        """Raises RetrievalError if something is no table of numbers."""
        self.centers = {name: vectors(table, str(name)) for name, table in centers.items()}

    @classmethod
    def fit(cls, units: Iterable[tuple[str, np.ndarray]], count: int = COUNT, seed: int = 0) -> "Clusters":
        """Centres of pairs (speaker name, units (N, D)); where there are fewer units than centres, as many as units."""
        return cls({name: kmeans(vectors(values, name), count, seed) for name, values in units})

    @classmethod
    def of(cls, work: str | Path, count: int = COUNT, seed: int = 0) -> "Clusters":
        """Centres of every singer of a prepared work folder. Raises RetrievalError."""
        return cls.fit(units_of(work), count, seed)

    def blend(self, units: Units, speaker: str, ratio: float) -> Units:
        """Units (T, D) with the share `ratio`, 0 to 1, of the centre nearest to each. Raises RetrievalError."""
        import faiss

        centers = entry(self.centers, speaker)
        queries = as_queries(units, centers.shape[1], ratio)
        _, nearest = faiss.knn(queries, centers, 1)
        return mix_in(units, centers[nearest[:, 0]], ratio)


def kmeans(units: np.ndarray, count: int, seed: int = 0, rounds: int = 10) -> np.ndarray:
    """Centres (min(count, N), D) of units (N, D); none goes empty, a large cluster is split instead."""
    import faiss

    if len(units) <= count:
        return units.copy()
    job = faiss.Kmeans(
        units.shape[1], count, niter=rounds, seed=seed, min_points_per_centroid=1, max_points_per_centroid=len(units)
    )
    job.train(units, init_centroids=_start(units, count, seed) if count <= FEW else None)
    return job.centroids


def _start(units: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Units far from each other (k-means++): random ones, good enough where they are many, may all miss a cluster."""
    from sklearn.cluster import kmeans_plusplus

    rows = np.random.default_rng(seed).permutation(len(units))[: 100 * count]
    return kmeans_plusplus(units[rows], count, random_state=seed)[0]
