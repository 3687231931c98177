"""Pitch predictors: a recording in, its fundamental frequency per frame out.

    f0 = get("fcpe", sample_rate=44100, hop=512)(wav)
    f0.hz        # 0 where unvoiced
    f0.filled()  # without gaps: what the models eat

Notebook: 02_features
"""

import difflib
from importlib import import_module
from pathlib import Path

from svcnb.f0.predictor import F0, F0Error, Predictor

__all__ = ["F0", "F0Error", "Predictor", "get", "names"]

_PREDICTORS = {  # name → module and class; the original's six names first
    "pm": ("classic", "Praat"),
    "dio": ("classic", "Dio"),
    "harvest": ("classic", "Harvest"),
    "crepe": ("crepe", "Crepe"),
    "rmvpe": ("rmvpe", "Rmvpe"),
    "fcpe": ("fcpe", "Fcpe"),
    "swiftf0": ("swiftf0", "SwiftF0"),
    "voted": ("voted", "Voted"),
}


def names() -> list[str]:
    """Names that `get` knows."""
    return list(_PREDICTORS)


def get(
    name: str,
    sample_rate: int = 44100,
    hop: int = 512,
    f0_min: float = 50,
    f0_max: float = 1100,
    threshold: float = 0.05,
    device: str = "auto",
    path: Path | str | None = None,
    original: bool = False,
    half: bool = False,
) -> Predictor:
    """The predictor of that name, its model loaded: call it with audio (N,) for an F0 of N // hop frames.

    `threshold` is the confidence below which crepe, rmvpe and fcpe call a frame unvoiced; the others judge by
    themselves. `path` is a weights file (rmvpe.pt, fcpe.pt, …) in place of the usual one: rmvpe's is downloaded, the
    others come with packages. `original=True` gives what so-vits-svc computes, its defects included. `half=True`
    lets a network compute in half precision. Raises F0Error for an unknown name, wrong settings, a missing package or a
    file of something else; CheckpointError for an unreadable file; DownloadError when the file can not be had.
    """
    if name not in _PREDICTORS:
        near = difflib.get_close_matches(name, _PREDICTORS, 1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise F0Error(f"There is no pitch predictor {name!r}.{hint} Choose one of: {', '.join(_PREDICTORS)}.")
    module, kind = _PREDICTORS[name]
    predictor = getattr(import_module(f"svcnb.f0.{module}"), kind)
    return predictor(sample_rate, hop, f0_min, f0_max, threshold, device, path, original, half)
