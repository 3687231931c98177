"""Files of clusters and indexes: our own safetensors and the original's kmeans .pt and feature_and_index .pkl.

An own file holds numbers only: `<speaker>` (K, D) for clusters; for an index `<number>.units` (N, D),
`<number>.centroids` (C, D) and the centroid that each unit belongs to, `<number>.cell` (N,).

Notebook: 06_mixing_export
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from svcnb.files import whole_file, write_whole
from svcnb.retrieval.clusters import Clusters
from svcnb.retrieval.corpus import RetrievalError, vectors
from svcnb.retrieval.index import Index
from svcnb.unpickle import CheckpointError, read_torch

FORMAT = "1"  # of our own files


def load(path: str | Path) -> Clusters | Index:
    """Clusters or an index, whichever the file holds, of our format or the original's; no code in it is run.

    Raises CheckpointError.
    """
    path = Path(path)
    kind, content = _read_own(path) if path.suffix == ".safetensors" else _read_original(path)
    try:
        return Clusters(content) if kind == "clusters" else Index({int(key): cells for key, cells in content.items()})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} can not be used: {error}") from None


def load_clusters(path: str | Path) -> Clusters:
    """Clusters of our .safetensors or the original's kmeans .pt. Raises CheckpointError."""
    return _only(Clusters, path, "an index, not clusters")


def load_index(path: str | Path) -> Index:
    """An index of our .safetensors or the original's feature_and_index .pkl. Raises CheckpointError."""
    return _only(Index, path, "clusters, not an index")


def _only(kind: type, path: str | Path, otherwise: str):
    found = load(path)
    if not isinstance(found, kind):
        raise CheckpointError(f"{path} holds {otherwise}.")
    return found


def save_clusters(path: str | Path, clusters: Clusters) -> None:
    """Write our .safetensors, or the original's kmeans_10000.pt if the name ends in .pt.

    Raises RetrievalError for another ending, OSError.
    """
    centers = clusters.centers
    if Path(path).suffix == ".safetensors":
        _save_own(path, "clusters", centers)
        return
    _check(path, ".pt")
    fields = lambda table: {"n_features_in_": table.shape[1], "_n_threads": 4, "cluster_centers_": table}
    with whole_file(path) as part:
        torch.save({name: fields(table) for name, table in centers.items()}, part)


def save_index(path: str | Path, index: Index) -> None:
    """Write our .safetensors, or the original's feature_and_index.pkl if the name ends in .pkl.

    Raises RetrievalError for another ending, OSError.
    """
    cells = index.cells
    if Path(path).suffix == ".safetensors":
        parts = {f"{number}.{name}": table for number in cells for name, table in _unpack(cells[number]).items()}
        _save_own(path, "index", parts)
        return
    _check(path, ".pkl")
    write_whole(path, pickle.dumps(cells))


def _check(path: str | Path, suffix: str) -> None:
    if Path(path).suffix != suffix:
        raise RetrievalError(f"{path} should end in .safetensors, or {suffix} for the original's format.")


def _save_own(path: str | Path, kind: str, tensors: dict[str, np.ndarray]) -> None:
    write_whole(path, save(tensors, {"format": FORMAT, "kind": kind}))


def _read_own(path: Path) -> tuple[str, dict]:
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path} is cut short or no safetensors file ({error}).") from None
    kind = metadata.get("kind")
    if kind not in ("clusters", "index"):
        raise CheckpointError(f"{path} holds neither clusters nor an index; make it with `svcnb clusters`.")
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} was written by another version of svcnb; make it anew.")
    if kind == "clusters":
        return kind, tensors
    try:
        numbers = sorted({key.split(".")[0] for key in tensors})
        names = ("units", "centroids", "cell")
        return kind, {number: _pack(*(tensors[f"{number}.{name}"] for name in names)) for number in numbers}
    except (KeyError, RetrievalError):
        raise CheckpointError(f"{path} is no whole index; make it anew.") from None


def _read_original(path: Path) -> tuple[str, dict]:
    content = read_torch(path)
    if isinstance(content, dict) and content:
        if all(isinstance(part, dict) and "cluster_centers_" in part for part in content.values()):
            return "clusters", {name: part["cluster_centers_"] for name, part in content.items()}
        if all(hasattr(part, "nprobe") and hasattr(part, "ntotal") for part in content.values()):
            return "index", content
    raise CheckpointError(f"{path} holds neither k-means clusters nor a feature index of so-vits-svc.")


def _unpack(cells: Any) -> dict[str, np.ndarray]:
    """The numbers that a faiss index is made of."""
    import faiss

    cell = np.empty(cells.ntotal, np.int32)
    for number in range(cells.nlist):
        size = cells.invlists.list_size(number)
        if size:
            cell[faiss.rev_swig_ptr(cells.invlists.get_ids(number), size)] = number
    centroids = faiss.downcast_index(cells.quantizer).reconstruct_n(0, cells.nlist)
    return {"units": cells.reconstruct_n(0, cells.ntotal), "centroids": centroids, "cell": cell}


def _pack(units: np.ndarray, centroids: np.ndarray, cell: np.ndarray) -> Any:
    """The faiss index that `_unpack` took apart."""
    import faiss

    units, centroids = vectors(units, "the units"), vectors(centroids, "the centroids")
    fits = units.shape[1] == centroids.shape[1] and cell.shape == (len(units),) and cell.dtype == np.int32
    if not fits or cell.min() < 0 or cell.max() >= len(centroids):
        raise RetrievalError("The parts of an index do not fit each other.")
    quantizer = faiss.IndexFlatL2(units.shape[1])
    quantizer.add(centroids)
    cells = faiss.IndexIVFFlat(quantizer, units.shape[1], len(centroids))
    cell = cell.astype(np.int64)
    cells.add_core(len(units), faiss.swig_ptr(units), None, faiss.swig_ptr(cell))
    return cells
