"""The units of a singer's prepared recordings, and blending what they give into other units.

Notebook: 06_mixing_export
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

Units = TypeVar("Units", np.ndarray, torch.Tensor)


class RetrievalError(ValueError):
    """Clusters or an index can not be made, read or used; the message says what to do."""


def units_of(work: str | Path) -> Iterator[tuple[str, np.ndarray]]:
    """Each speaker of a prepared work folder with all its units (N, D) float32, one speaker in memory at a time.

    Raises RetrievalError when there are none or a file is damaged.
    """
    folder = Path(work) / "dataset/44k"
    speakers = sorted(path for path in folder.glob("*") if any(path.glob("*.features.safetensors")))
    if not speakers:
        raise RetrievalError(f"{folder} holds no features; run `svcnb prepare` first.")
    for speaker in speakers:
        clips = [_units(path) for path in sorted(speaker.glob("*.features.safetensors"))]
        if len({clip.shape[1] for clip in clips}) > 1:
            raise RetrievalError(f"The units of {speaker.name} are of several widths; prepare the data again.")
        yield speaker.name, np.concatenate(clips)


def _units(path: Path) -> np.ndarray:
    try:
        with safe_open(path, "np") as file:
            return file.get_tensor("units").astype(np.float32)
    except (OSError, SafetensorError):
        raise RetrievalError(f"{path} holds no units or is damaged; prepare the data again.") from None


def vectors(values: object, of: str) -> np.ndarray:
    """The values as contiguous float32 (N, D), at least one. Raises RetrievalError if they are no such thing."""
    values = np.asarray(values)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise RetrievalError(f"What is stored of {of} is no table of numbers (N, D); make it again.")
    return np.ascontiguousarray(values, np.float32)


def mix_in(units: Units, found: np.ndarray, ratio: float) -> Units:
    """`ratio` of what was found and the rest of the units, as what the units are: an array or a tensor."""
    if isinstance(units, torch.Tensor):
        found = torch.from_numpy(found).to(units)
    return ratio * found + (1 - ratio) * units


def as_queries(units: Units, width: int, ratio: float) -> np.ndarray:
    """Units (T, D) as contiguous float32 of the width that is stored. Raises RetrievalError."""
    if not 0 <= ratio <= 1:
        raise RetrievalError(f"The retrieval ratio is {ratio}; it must be from 0 to 1.")
    if units.ndim != 2 or units.shape[1] != width:
        shape = "×".join(map(str, units.shape))
        raise RetrievalError(
            f"What is stored was made of units of {width} values, but these are {shape}; make it anew."
        )
    values = units.detach().cpu().numpy() if isinstance(units, torch.Tensor) else units
    return np.ascontiguousarray(values, np.float32)


def entry(table: dict, speaker: object):
    """What is stored for a speaker. Raises RetrievalError naming those that there are."""
    if speaker not in table:
        raise RetrievalError(f"Nothing is stored for the speaker {speaker!r}, only for {', '.join(map(str, table))}.")
    return table[speaker]
