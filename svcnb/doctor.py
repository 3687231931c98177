"""What works on this machine: one row for each thing that svcnb may need, with what to do where it is missing.

`examine` only looks. `mend_torchaudio` repairs the one installation that pip gets wrong.

Notebook: 01_data
"""

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PYTHONS = ((3, 10), (3, 13))  # oldest and newest that the tests cover
ENGINES = {"pm": "parselmouth", "dio, harvest": "pyworld", "crepe": "torchcrepe", "fcpe": "torchfcpe"}
WHEELS = {"parselmouth": "praat-parselmouth", "pyworld": "pyworld-prebuilt"}  # packages named otherwise than modules
EXTRAS = {  # what an optional package is for, and the extra that brings it
    "resemblyzer": ("speaker similarity", "eval"),
    "tensorboard": ("training curves in TensorBoard", "eval"),
    "onnxruntime": ("ONNX encoders and export", "onnx"),
    "swift-f0": ("the pitch predictor swiftf0", "onnx"),
    "jupyterlab": ("the notebooks", "lab"),
}
MEND = "run: python -m svcnb doctor --mend"


@dataclass(frozen=True)
class Row:
    """One finding: `ok` is None where something optional is absent; `advice` says what to do when not ok."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def examine(folder: str | Path = ".") -> list[Row]:
    """Look at Python, torch, sound files, predictors, the lesson voice, downloads, extras, and the disk of `folder`."""
    return [*_python(), *_torch(), *_audio(), *_predictors(), *_models(), *_extras(), _disk(folder)]


def mend_torchaudio() -> str:
    """Make `import torchaudio` work beside a CPU-only torch; returns what was done, raises OSError if that failed.

    PyPI's torchaudio for Linux carries a compiled extension that wants CUDA libraries and stops the import. torchaudio
    runs without the extension (svcnb uses nothing of it), so where torch has no CUDA its files are removed.
    """
    import torch

    failure = _import_failure("torchaudio")
    if not failure:
        return "torchaudio imports: nothing to mend"
    if torch.version.cuda or torch.version.hip or "libc10_cuda" not in failure:
        raise OSError(f"torchaudio does not import; install the one that belongs to your torch. {_last(failure)}")
    library = Path(importlib.util.find_spec("torchaudio").origin).parent / "lib"
    for file in library.glob("*.so"):
        file.unlink()
    if failure := _import_failure("torchaudio"):
        raise OSError(f"torchaudio still does not import. {_last(failure)}")
    return "torchaudio mended: its CUDA extension is removed, since this torch runs on the CPU"


def _import_failure(module: str) -> str:
    """What a fresh interpreter says when it fails to import a module; empty if it works."""
    result = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True)
    return result.stderr.strip() if result.returncode else ""


def _last(text: str) -> str:
    return text.splitlines()[-1]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Iterator[Row]:
    oldest, newest = (".".join(map(str, version)) for version in PYTHONS)
    known = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Row("Python", known, found, f"svcnb is tested on {oldest} to {newest}")


def _torch() -> Iterator[Row]:
    import torch

    yield Row("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        yield Row("GPU", True, f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")
    elif torch.backends.mps.is_available():
        yield Row("GPU", True, "Apple (mps)")
    else:
        yield Row("GPU", None, "none", "the lesson voice needs none; training a full-size model does")
    try:
        import torchaudio

        yield Row("torchaudio", True, torchaudio.__version__)
    except (ImportError, OSError) as error:
        yield Row("torchaudio", False, str(error).splitlines()[0], MEND)


def _audio() -> Iterator[Row]:
    import soundfile

    formats = [name for name in ("WAV", "FLAC", "MP3", "OGG") if name in soundfile.available_formats()]
    complete = len(formats) == 4
    found = f"{', '.join(formats).lower()} ({soundfile.__libsndfile_version__})"
    yield Row("audio files", complete, found, "mp3 needs libsndfile 1.1: pip install -U soundfile")
    ffmpeg = shutil.which("ffmpeg")
    yield Row("ffmpeg", True if ffmpeg else None, ffmpeg or "none", "only m4a, video and the like need it")


def _predictors() -> Iterator[Row]:
    for names, module in ENGINES.items():
        failure = "" if importlib.util.find_spec(module) else f"{module} is not installed"
        yield Row(f"f0 {names}", not failure, failure or f"{module}", f"pip install {WHEELS.get(module, module)}")


def _extras() -> Iterator[Row]:
    for package, (purpose, extra) in EXTRAS.items():
        version = _version(package)
        yield Row(package, True if version else None, version or "none", f"for {purpose}: pip install 'svcnb[{extra}]'")


def _models() -> Iterator[Row]:
    from . import lesson, registry

    for name, path in (("lesson voice", lesson.voice_path()), ("lesson encoder", lesson.encoder_path())):
        yield Row(name, path.is_file(), path.name, "the file is missing, though it belongs to svcnb: install it anew")
    here = [name for name in registry.TABLE if registry.here(name)]
    found = f"{len(here)} of {len(registry.TABLE)} in {registry.home()}{': ' if here else ''}{', '.join(here)}"
    yield Row("downloads", True if here else None, found, "each is fetched when it is first needed")


def _disk(folder: str | Path) -> Row:
    free = shutil.disk_usage(folder).free / 2**30
    return Row("disk", free > 5, f"{free:.0f} GiB free", "an hour of singing and its model want about 5 GiB")
