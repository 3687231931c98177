"""K-means centres of each singer's units: a unit is replaced by the centre nearest to it.

Notebook: 06_mixing_export
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from svcnb.encoders.base import pick_device
from svcnb.retrieval.corpus import Units, as_queries, entry, mix_in, units_of, vectors

COUNT = 10_000  # centres for each singer
FEW = 512  # centres that are sought among all units at once
BLOCK = 16_384  # units compared with all centres at once on a GPU


class Clusters:
    """Centres (K, D) of each singer, by name."""

    def __init__(self, centers: Mapping[str, np.ndarray]):
        """Raises RetrievalError if something is no table of numbers."""
        self.centers = {name: vectors(table, str(name)) for name, table in centers.items()}

    @classmethod
    def fit(
        cls, units: Iterable[tuple[str, np.ndarray]], count: int = COUNT, seed: int = 0, device: str = "auto"
    ) -> "Clusters":
        """Centres of pairs (speaker name, units (N, D)); where there are fewer units than centres, as many as units."""
        return cls({name: kmeans(vectors(values, name), count, seed, device=device) for name, values in units})

    @classmethod
    def of(cls, work: str | Path, count: int = COUNT, seed: int = 0, device: str = "auto") -> "Clusters":
        """Centres of every singer of a prepared work folder. Raises RetrievalError."""
        return cls.fit(units_of(work), count, seed, device)

    def blend(self, units: Units, speaker: str, ratio: float) -> Units:
        """Units (T, D) with the share `ratio`, 0 to 1, of the centre nearest to each. Raises RetrievalError."""
        import faiss

        centers = entry(self.centers, speaker)
        queries = as_queries(units, centers.shape[1], ratio)
        _, nearest = faiss.knn(queries, centers, 1)
        return mix_in(units, centers[nearest[:, 0]], ratio)


def kmeans(units: np.ndarray, count: int, seed: int = 0, device: str = "auto") -> np.ndarray:
    """Centres (min(count, N), D) of units (N, D); none goes empty, a large cluster is split instead.

    device: `auto` is a GPU where there is one.
    """
    import faiss

    if len(units) <= count:
        return units.copy()
    first = first_centres(units, count, seed, device)
    rounds = 8 if count <= FEW else 4  # the groups have had theirs
    if (place := pick_device(device)).type == "cuda":
        return lloyd(units, first, rounds, seed, place)
    job = faiss.Kmeans(
        units.shape[1], count, niter=rounds, seed=seed, min_points_per_centroid=1, max_points_per_centroid=len(units)
    )
    job.train(units, init_centroids=first)
    return job.centroids


def first_centres(units: np.ndarray, count: int, seed: int, device: str = "auto") -> np.ndarray:
    """Where k-means begins, (count, D); random units, where there are few centres, might miss a whole cluster."""
    return _far_apart(units, count, seed) if count <= FEW else _in_groups(units, count, seed, device)


def lloyd(units: np.ndarray, first: np.ndarray, rounds: int, seed: int, device: torch.device | str) -> np.ndarray:
    """Rounds of k-means from the first centres on, by torch on a device, for faiss-cpu knows no GPU."""
    points, centers = (torch.from_numpy(np.ascontiguousarray(table)).to(device) for table in (units, first))
    count = len(first)
    noise = torch.Generator(device).manual_seed(seed)
    for _ in range(rounds):
        nearest = torch.cat([_nearest(block, centers) for block in points.split(BLOCK)])
        sizes = torch.bincount(nearest, minlength=count)
        centers = torch.zeros_like(centers).index_add_(0, nearest, points) / sizes.clamp(min=1)[:, None]
        if empty := int((sizes == 0).sum()):  # these start again beside the largest
            largest = centers[sizes.argsort(descending=True)[torch.arange(empty) % count]]
            jump = torch.randn(largest.shape, generator=noise, device=device)
            centers[sizes == 0] = largest * (1 + jump / 1024)
    return centers.cpu().numpy()


def _nearest(points: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """The number of the centre (K, D) nearest to each point (N, D)."""
    return (centers.square().sum(1) - 2 * points @ centers.T).argmin(1)


def _far_apart(units: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Units far from each other (k-means++)."""
    from sklearn.cluster import kmeans_plusplus

    rows = np.random.default_rng(seed).permutation(len(units))[: 100 * count]
    return kmeans_plusplus(units[rows], count, random_state=seed)[0]


def _in_groups(units: np.ndarray, count: int, seed: int, device: str) -> np.ndarray:
    """Centres of each of about √count groups by itself: nearly as good as centres of all, at a small part of the cost.

    A group has as many as its share of the units.
    """
    import faiss

    groups = kmeans(units, round(count**0.5), seed, device)
    which = faiss.knn(units, groups, 1)[1][:, 0]
    ends = np.bincount(which, minlength=len(groups)).cumsum() * count / len(units)
    shares = np.diff(ends.round().astype(int), prepend=0)
    return np.concatenate([kmeans(units[which == n], share, seed, device) for n, share in enumerate(shares) if share])
