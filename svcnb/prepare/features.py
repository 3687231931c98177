"""Second half of the work: units, pitch and volume of every clip, in a file beside it.

<clip>.features.safetensors holds `units` (S, D) float16, `f0` (P,) Hz without gaps, `uv` (P,) 1 where voiced, and
`volume` (P,), P = samples // hop; its metadata says what made them.

Notebook: 02_features
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from svcnb import audio, encoders, f0, lesson
from svcnb.dataset import features_path
from svcnb.files import write_whole
from svcnb.prepare.manifest import Manifest
from svcnb.prepare.scan import Problems
from svcnb.prepare.workers import Workers

VERSION = 1  # of what is in the file; another one makes every file anew


@dataclass(frozen=True)
class Recipe:
    """What makes features: the encoder and its weights, the pitch predictor, the frames."""

    encoder: str
    encoder_path: str | None
    weights: str
    f0: str
    sample_rate: int
    hop: int

    @classmethod
    def of(cls, encoder: str, encoder_path: str | Path | None, predictor: str, sample_rate: int, hop: int) -> "Recipe":
        """Raises F0Error or EncoderError for a predictor or a file of weights that does not exist."""
        if predictor not in f0.names():
            f0.get(predictor)  # says which there are
        path = None if encoder_path is None else str(encoder_path)
        if path is not None and not Path(path).is_file():
            raise encoders.EncoderError(f"There is no file {path} with the weights of {encoder}.")
        weights = path or (lesson.encoder_path() if encoder == "lesson" else None)  # the others never change
        return cls(encoder, path, _identity(weights) if weights else "", predictor, sample_rate, hop)

    def fingerprint(self, clip_sha256: str) -> str:
        """All that the features of a clip depend on, as JSON; where the weights lie is not of it."""
        facts = {key: value for key, value in vars(self).items() if key != "encoder_path"}
        return json.dumps(facts | {"version": VERSION, "clip": clip_sha256}, sort_keys=True)


def _identity(weights: str | Path) -> str:
    """Digest of both ends of a file, where checkpoints have shapes and checksums; a whole one could take minutes."""
    with open(weights, "rb") as file:
        start = file.read(1 << 16)
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 20)))
        return hashlib.sha256(start + file.read() + str(size).encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """A clip whose features are to be made."""

    clip: Path
    sha256: str
    recipe: Recipe


def extract_features(work: Path, manifest: Manifest, recipe: Recipe, workers: Workers) -> tuple[int, Problems]:
    """Make the features that are missing or out of date: their number, and the clips for which it was not possible."""
    tasks = [Task(work / clip.file, clip.sha256, recipe) for clip in manifest.clips()]
    tasks = [task for task in tasks if read_fingerprint(task.clip) != recipe.fingerprint(task.sha256)]
    problems = []
    try:
        for task, problem in workers.run(extract, tasks):
            if problem:
                features_path(task.clip).unlink(missing_ok=True)
                problems.append((task.clip.relative_to(work).as_posix(), problem))
    finally:
        _engines.cache_clear()
    return len(tasks) - len(problems), sorted(problems)


def read_fingerprint(clip: Path) -> str | None:
    """What made the features of a clip; None if there are none that can be read."""
    try:
        with safe_open(features_path(clip), "pt") as file:
            return (file.metadata() or {}).get("fingerprint")
    except (OSError, SafetensorError):
        return None


def extract(task: Task) -> str | None:
    """Write the features of a clip; why not, where its sound does not allow it."""
    encoder, predictor = _engines(task.recipe)
    try:
        wav, rate = audio.load(task.clip)
        units = encoder.units(audio.resample(wav, rate, 16000))
        pitch = predictor(wav)
    except ValueError as error:
        return f"The features of {task.clip} could not be made: {error}"
    if not torch.isfinite(units).all():
        return f"{task.recipe.encoder} gives values for {task.clip} that are not numbers; leave that passage out."
    tensors = {
        "units": units.half() if units.abs().max() < 65504 else units,
        "f0": torch.as_tensor(pitch.filled()).float(),
        "uv": torch.as_tensor(pitch.voiced).float(),
        "volume": torch.as_tensor(audio.volume(wav, task.recipe.hop)),
    }
    metadata = {"fingerprint": task.recipe.fingerprint(task.sha256)}
    write_whole(features_path(task.clip), save(tensors, metadata))
    return None


@lru_cache(maxsize=1)
def _engines(recipe: Recipe):
    """The encoder and the predictor, loaded once in every process."""
    return (
        encoders.get(recipe.encoder, recipe.encoder_path),
        f0.get(recipe.f0, sample_rate=recipe.sample_rate, hop=recipe.hop),
    )
