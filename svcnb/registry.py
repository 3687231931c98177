"""Every file that can be downloaded: where it is, whose it is, what needs it, and where it lies on this machine.

Files are looked for in `$SVCNB_HOME` (else `~/.cache/svcnb`), then in `pretrain/` of the working folder, where
so-vits-svc keeps them, by the names that they have there.

Notebook: 02_features
"""

import difflib
import os
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock  # comes with torch

from svcnb.download import DownloadError, Progress, download, extract

__all__ = ["TABLE", "DownloadError", "Entry", "fetch", "find", "here", "home", "search_path"]


@dataclass(frozen=True)
class Entry:
    """One thing to download.

    file: its name here. urls: sources of the very same content. also: other names under which it may already be here.
    unpack: it comes in a zip archive; which of its members goes where. sha256, size: of the download, where known.
    """

    file: str
    needed_for: str
    licence: str
    urls: tuple[str, ...]
    sha256: str | None = None
    size: int | None = None  # bytes
    also: tuple[str, ...] = ()
    unpack: dict[str, str] = field(default_factory=dict)


_WHISPER = "https://openaipublic.azureedge.net/main/whisper/models"
_HF, _MIRROR = "https://huggingface.co", "https://hf-mirror.com"  # the mirror serves the same paths
_UNKNOWN = "not stated"


def _hf(path: str) -> tuple[str, ...]:
    return f"{_HF}/{path}", f"{_MIRROR}/{path}"


def _base(path: str) -> tuple[str, ...]:
    return _hf(f"datasets/yasoukyoku/utai-runtimes/resolve/main/models/training/sovits/{path}")


def _onnx(file: str) -> tuple[str, ...]:
    return _hf(f"NaruseMioShirakana/MoeSS-SUBModel/resolve/main/{file}")


TABLE = {
    # speech encoders
    "contentvec": Entry(
        "hubert_base.pt",
        "encoders vec768l12, vec256l9 (half precision; the full file does as well)",
        "MIT",
        _hf("lj1995/VoiceConversionWebUI/resolve/main/hubert_base.pt"),
        "f54b40fd2802423a5643779c4861af1e9ee9c1564dc9d32f54f20b5ffba7db96",
        189_507_909,
        also=("checkpoint_best_legacy_500.pt",),
    ),
    "contentvec-full": Entry(
        "checkpoint_best_legacy_500.pt",
        "encoders vec768l12, vec256l9",
        "MIT",
        (
            "https://ibm.ent.box.com/shared/static/z1wgl1stco8ffooyatzdwsqn2psd9lrr",
            *_hf("innnky/contentvec/resolve/main/checkpoint_best_legacy_500.pt"),
        ),
        "60d936ec5a566776fc392e69ad8b630d14eb588111233fe313436e200a7b187b",
        1_330_114_945,
    ),
    "hubert-soft": Entry(
        "hubert-soft-0d54a1f4.pt",
        "encoder hubertsoft",
        "MIT",
        ("https://github.com/bshall/hubert/releases/download/v0.1/hubert-soft-0d54a1f4.pt",),
    ),
    "chinese-hubert-large": Entry(
        "chinese-hubert-large-fairseq-ckpt.pt",
        "encoder cnhubertlarge",
        "MIT",
        _hf("TencentGameMate/chinese-hubert-large/resolve/main/chinese-hubert-large-fairseq-ckpt.pt"),
        "31a39438d2ca748d5626bb676493041166de03c93ec517774c6d90ebb2d715c5",
        3_799_503_913,
    ),
    "dphubert": Entry(
        "DPHuBERT-sp0.75.pth",
        "encoder dphubert",
        _UNKNOWN,
        _hf("pyf98/DPHuBERT/resolve/main/DPHuBERT-sp0.75.pth"),
    ),
    "wavlm-base-plus": Entry(
        "WavLM-Base+.pt",
        "encoder wavlmbase+",
        "MIT",
        (
            "https://valle.blob.core.windows.net/share/wavlm/WavLM-Base+.pt?sv=2020-08-04&st=2023-03-01T07%3A51%3A05Z"
            "&se=2033-03-02T07%3A51%3A00Z&sr=c&sp=rl&sig=QJXmSJG9DbMKf48UDIU1MfzIro8HQOf3sqlNXiflY1I%3D",
        ),
    ),
    "whisper-base": Entry(
        "base.pt",
        "encoder whisper-ppg-base",
        "MIT",
        (f"{_WHISPER}/ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e/base.pt",),
        "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
        145_262_807,
    ),
    "whisper-medium": Entry(
        "medium.pt",
        "encoder whisper-ppg",
        "MIT",
        (f"{_WHISPER}/345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1/medium.pt",),
        "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1",
        1_528_008_539,
    ),
    "whisper-large-v2": Entry(
        "large-v2.pt",
        "encoder whisper-ppg-large",
        "MIT",
        (f"{_WHISPER}/81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524/large-v2.pt",),
        "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524",
        3_086_999_982,
    ),
    "vec768l12-onnx": Entry(
        "vec-768-layer-12.onnx",
        "encoder vec768l12-onnx",
        "GPL-3.0",
        _onnx("vec-768-layer-12.onnx"),
        "b3886e7dff1495cda514f94f4680a7b1261e05d6929f5c764cdb17934b413c2a",
        377_655_729,
    ),
    "vec768l9-onnx": Entry("vec-768-layer-9.onnx", "encoder vec768l9-onnx", "GPL-3.0", _onnx("vec-768-layer-9.onnx")),
    "vec256l12-onnx": Entry(
        "vec-256-layer-12.onnx", "encoder vec256l12-onnx", "GPL-3.0", _onnx("vec-256-layer-12.onnx")
    ),
    "vec256l9-onnx": Entry(
        "vec-256-layer-9.onnx",
        "encoder vec256l9-onnx",
        "GPL-3.0",
        _onnx("vec-256-layer-9.onnx"),
        "61d0d0598803f74d5a4bcba65ca367571889accc0e86196f0982e8e455d56393",
    ),
    "hubertsoft-onnx": Entry(
        "hubert-soft.onnx",
        "encoder hubertsoft-onnx",
        "GPL-3.0",
        _onnx("hubert-soft.onnx"),
        "9b0de037dc7985226e3653019d5272830bdff80697ee570b2b35e532d2abf831",
        378_413_589,
    ),
    # pitch predictors
    "rmvpe": Entry(
        "rmvpe.pt",
        "pitch predictor rmvpe",
        _UNKNOWN,
        ("https://github.com/yxlllc/RMVPE/releases/download/230917/rmvpe.zip",),
        "54ae40d9c066d998b94574f6ef0deea19ed1565bd655b3f0d9b1ad612fb5309c",
        unpack={"model.pt": "rmvpe.pt"},
    ),
    "fcpe": Entry(
        "fcpe.pt",
        "pitch predictor fcpe with the original's weights (other weights come with the package torchfcpe)",
        "MIT",
        _hf("datasets/ylzz1997/rmvpe_pretrain_model/resolve/main/fcpe.pt"),
        "c3a8dd2dbd51baf19ed295006f2ac25dba6dd60adc7ec578ae5fbd94970951da",
        69_005_189,
    ),
    # vocoder
    "nsf-hifigan": Entry(
        "nsf_hifigan/model",
        "diffusion and the enhancer",
        "CC BY-NC-SA 4.0",
        ("https://github.com/openvpi/vocoders/releases/download/nsf-hifigan-v1/nsf_hifigan_20221211.zip",),
        "d86ea84b7e2c9169afb5ccbb720b5542704be519c643f698332f2014a8f2d6bd",
        52_778_967,
        unpack={
            "nsf_hifigan/model": "nsf_hifigan/model",
            "nsf_hifigan/config.json": "nsf_hifigan/config.json",
        },
    ),
    # models that training can start from
    "base-vec768l12-g": Entry(
        "vec768l12/G_0.pth",
        "training on vec768l12 units: generator to start from",
        _UNKNOWN,
        _base("vec768/G_0.pth"),
        "9d3e408786013590bb3574ade2831ab62c989d303834742fe73ca8d5552d2f03",
        209_268_661,
    ),
    "base-vec768l12-d": Entry(
        "vec768l12/D_0.pth",
        "training on vec768l12 units: discriminator to start from",
        _UNKNOWN,
        _base("vec768/D_0.pth"),
        "60b6936d55d2cfaa717033eafe9d98dbe44d322e6adaf7be7c1c5a835ebb7177",
        187_027_770,
    ),
    "base-vec256l9-g": Entry(
        "vec256l9/G_0.pth",
        "training on vec256l9 units: generator to start from",
        _UNKNOWN,
        _base("vec256/G_0.pth"),
        "20a327c54e5731bed377bd38404bc32ab98e66a1b2777b0af4cc034d4d6914b0",
        180_628_517,
    ),
    "base-vec256l9-d": Entry(
        "vec256l9/D_0.pth",
        "training on vec256l9 units: discriminator to start from",
        _UNKNOWN,
        _base("vec256/D_0.pth"),
        "635be5c3409aaf3eec4135a1f5a771595683f3a6461ffc5bdea43441e50269a9",
        187_018_591,
    ),
    "base-vec768l12-diffusion": Entry(
        "vec768l12/model_0.pt",
        "training diffusion on vec768l12 units: model to start from",
        _UNKNOWN,
        _base("diffusion/vec768/model_0.pt"),
        "d8b7cc5a94a57f7e5772c3f5f48fd458684235b8d98f38e0feff134fafad93dd",
        220_890_164,
    ),
    # singing to learn with
    "vocalset": Entry(
        "VocalSet.zip",
        "twenty singers, ten hours, to train and test with",
        "CC BY 4.0",
        ("https://zenodo.org/records/1193957/files/VocalSet.zip",),
        size=2_077_087_366,
    ),
    "vocadito": Entry(
        "vocadito.zip",
        "forty short songs by many singers, their pitch written down by hand, to test with",
        "CC BY 4.0",
        ("https://zenodo.org/records/5578807/files/vocadito.zip",),
        "e0d6b99d3f9c594afe5ae5c4d7bdacebe569e53b809e90b89d1c771c4f9990e3",
    ),
}


def home() -> Path:
    """Folder of downloaded files: `$SVCNB_HOME`, else `~/.cache/svcnb`."""
    return Path(os.environ.get("SVCNB_HOME") or Path.home() / ".cache" / "svcnb").expanduser()


def search_path() -> list[Path]:
    """Folders in which files are looked for, in this order."""
    return [home(), Path("pretrain")]


def here(name: str) -> Path | None:
    """Path of a file of the table if it is on this machine. Raises DownloadError for an unknown name."""
    entry = _entry(name)
    needed = list(entry.unpack.values())[1:]  # what must lie beside the file itself
    for folder in search_path():
        for file in (entry.file, *entry.also):
            if all((folder / one).is_file() for one in (file, *needed)):
                return folder / file
    return None


def find(name: str) -> Path:
    """Path of a file of the table; looks only. Raises DownloadError saying where to get it and where to put it."""
    if (path := here(name)) is None:
        raise DownloadError(f"{_entry(name).file} is not on this machine; {by_hand(name)}")
    return path


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Path of a file of the table, which is downloaded if it is not on this machine.

    progress: called with the bytes that have come and the bytes in all. Raises DownloadError.
    """
    if path := here(name):
        return path
    entry = _entry(name)
    path = home() / entry.file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another process may be at it: wait, then look again
            if found := here(name):
                return found
            if not entry.unpack:
                return download(entry.urls, path, entry.sha256, entry.size, progress)
            archive = download(entry.urls, Path(f"{path}.zip"), entry.sha256, entry.size, progress)
            extract(archive, {member: home() / file for member, file in entry.unpack.items()})
            archive.unlink()
            return path
    except OSError as error:
        raise DownloadError(f"{entry.file} could not be downloaded ({error}); {by_hand(name)}") from None


def by_hand(name: str) -> str:
    """What to do where there is no network: where to get a file, and where to put it."""
    entry = _entry(name)
    unpack = ", unpack it" if entry.unpack else ""
    return f"get it from {entry.urls[0]}{unpack} and put it at {home() / entry.file}."


def _entry(name: str) -> Entry:
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TABLE)}."
        raise DownloadError(f"There is no file {name!r} to download; {hint}")
    return TABLE[name]
