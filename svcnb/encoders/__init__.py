"""Speech encoders: what is sung, without who sings it.

`get("vec768l12").units(wav)` turns sound at 16 kHz into units, 50 vectors a second. The names are the original's; our
own are `whisper-ppg-base` and `lesson`, whose weights come with the package. A file of weights may be given, else it is
looked for and, where it is missing, downloaded (`svcnb.registry`).

Notebook: 02_features
"""

import difflib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from svcnb.config import UNITS_DIM
from svcnb.encoders.base import RATE, Encoder, EncoderError
from svcnb.encoders.stretch import stretch

__all__ = ["RATE", "Encoder", "EncoderError", "get", "names", "stretch"]


@dataclass(frozen=True)
class Row:
    """How one encoder is loaded: `svcnb.encoders.<module>.load(path, device, **options)`."""

    module: str
    file: str | None = None  # name in svcnb.registry; None: the weights come with the package
    options: dict = field(default_factory=dict)


TABLE = {
    "vec768l12": Row("hubert", "contentvec", {"layers": 12}),
    "vec256l9": Row("hubert", "contentvec", {"layers": 9, "project": True}),
    "cnhubertlarge": Row("hubert", "chinese-hubert-large"),
    "hubertsoft": Row("hubertsoft", "hubert-soft"),
    "wavlmbase+": Row("wavlm", "wavlm-base-plus"),
    "dphubert": Row("dphubert", "dphubert"),
    "whisper-ppg": Row("whisper", "whisper-medium"),
    "whisper-ppg-large": Row("whisper", "whisper-large-v2"),
    "whisper-ppg-base": Row("whisper", "whisper-base"),
    "vec768l12-onnx": Row("onnx", "vec768l12-onnx"),
    "vec768l9-onnx": Row("onnx", "vec768l9-onnx"),
    "vec256l12-onnx": Row("onnx", "vec256l12-onnx"),
    "vec256l9-onnx": Row("onnx", "vec256l9-onnx"),
    "hubertsoft-onnx": Row("onnx", "hubertsoft-onnx", {"overhang": 0}),
    "lesson": Row("lesson"),
}


def names() -> list[str]:
    """The encoders that there are."""
    return list(TABLE)


def get(name: str, path: str | Path | None = None, device: str = "auto") -> Encoder:
    """Load a speech encoder: `.units(wav16k (N,)) -> (T, D)`, `.name`, `.dim`.

    path: file of weights; None looks in the usual places, then downloads. device: "auto", "cpu", "cuda", "cuda:1", …
    Raises EncoderError for an unknown name or a file that does not hold this encoder, CheckpointError for a file that
    can not be read, svcnb.registry's DownloadError for one that can not be had.
    """
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TABLE)}."
        raise EncoderError(f"There is no speech encoder {name!r}; {hint}")
    row = TABLE[name]
    if path is None and row.file is not None:
        from svcnb import registry

        path = registry.fetch(row.file)
    encoder = import_module(f"svcnb.encoders.{row.module}").load(path, device, **row.options)
    if encoder.dim != UNITS_DIM[name]:
        raise EncoderError(
            f"{path} gives units of {encoder.dim} values, but {name} has {UNITS_DIM[name]}; use the file of {name}."
        )
    encoder.name = name
    return encoder
