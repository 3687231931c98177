"""Second half of the work: units, pitch and volume of every clip, in a file beside it.

<clip>.features.safetensors holds `units` (S, D) float16, `f0` (P,) Hz without gaps, `uv` (P,) 1 where voiced, and
`volume` (P,), P = samples // hop; on request also `svcnb.prepare.spectra`. Its metadata says what made them. Nothing
but what is asked for is read from such a file, so that it opens as fast with spectra as without.

Notebook: 02_features
"""

import hashlib
import json
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from svcnb import audio, encoders, f0, lesson
from svcnb.config import DataConfig
from svcnb.dataset import features_path
from svcnb.files import write_whole
from svcnb.prepare.manifest import Manifest
from svcnb.prepare.scan import Problems
from svcnb.prepare.spectra import spectra
from svcnb.prepare.workers import Workers

VERSION = 1  # of what is in the file; another one makes every file anew
BATCH = 40  # seconds of sound, with what pads it, that an encoder hears at once


@dataclass(frozen=True)
class Recipe:
    """What makes features: the encoder and its weights, the pitch predictor, the frames.

    half: networks compute in half precision also on a CPU. spectra: n_fft and win of the spectrogram to store.
    """

    encoder: str
    encoder_path: str | None
    weights: str
    f0: str
    sample_rate: int
    hop: int
    half: bool = False
    spectra: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, encoder: str, encoder_path: str | Path | None, predictor: str, data: DataConfig, half: bool, spectra: bool
    ) -> "Recipe":
        """Raises F0Error or EncoderError for a predictor or a file of weights that does not exist."""
        if predictor not in f0.names():
            f0.get(predictor)  # says which there are
        path = None if encoder_path is None else str(encoder_path)
        if path is not None and not Path(path).is_file():
            raise encoders.EncoderError(f"There is no file {path} with the weights of {encoder}.")
        weights = path or (lesson.encoder_path() if encoder == "lesson" else None)  # the others never change
        spectrum = (data.filter_length, data.win_length) if spectra else None
        identity = _identity(weights) if weights else ""
        return cls(encoder, path, identity, predictor, data.sampling_rate, data.hop_length, half, spectrum)

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
    seconds: float
    sha256: str
    recipe: Recipe


def extract_features(work: Path, manifest: Manifest, recipe: Recipe, workers: Workers) -> tuple[int, Problems]:
    """Make the features that are missing or out of date: their number, and the clips for which it was not possible."""
    tasks = [Task(work / clip.file, clip.seconds, clip.sha256, recipe) for clip in manifest.clips()]
    tasks = [task for task in tasks if read_fingerprint(task.clip) != recipe.fingerprint(task.sha256)]
    problems = []
    try:
        for task, problem in workers.run_batches(extract, batches(tasks, workers.wanted(len(tasks)))):
            if problem:
                features_path(task.clip).unlink(missing_ok=True)
                problems.append((task.clip.relative_to(work).as_posix(), problem))
    finally:
        _engines.cache_clear()
    return len(tasks) - len(problems), sorted(problems)


def batches(tasks: list[Task], processes: int = 1) -> list[list[Task]]:
    """Clips of about the same length together, longest first, up to `BATCH` seconds with what pads them.

    With several processes there are at least four for each, so that none waits long for the last one.
    """
    made: list[list[Task]] = []
    most = BATCH if processes == 1 else min(BATCH, sum(task.seconds for task in tasks) / (4 * processes))
    for task in sorted(tasks, key=lambda task: -task.seconds):
        if not made or (len(made[-1]) + 1) * made[-1][0].seconds > most:
            made.append([])
        made[-1].append(task)
    return made


def read_fingerprint(clip: Path) -> str | None:
    """What made the features of a clip; None if there are none that can be read."""
    try:
        with safe_open(features_path(clip), "pt") as file:
            return (file.metadata() or {}).get("fingerprint")
    except (OSError, SafetensorError):
        return None


def extract(batch: list[Task]) -> list[str | None]:
    """Write the features of several clips; for each, why not, where its sound does not allow it."""
    try:
        return _extract(batch)
    except ValueError as error:
        if len(batch) == 1:
            return [f"The features of {batch[0].clip} could not be made: {error}"]
        return [problem for task in batch for problem in extract([task])]  # one is to blame: each for itself


def _extract(batch: list[Task]) -> list[str | None]:
    recipe = batch[0].recipe
    encoder, predictor = _engines(recipe)
    wavs = [audio.load(task.clip, recipe.sample_rate)[0] for task in batch]
    units = encoder.units_batch([audio.resample(wav, recipe.sample_rate, encoders.RATE) for wav in wavs])
    pitches = [predictor(wav) for wav in wavs]
    return list(map(_write, batch, wavs, units, pitches))


def _write(task: Task, wav: np.ndarray, units: torch.Tensor, pitch: f0.F0) -> str | None:
    """Write one clip's file; why not, where the encoder's values are not numbers."""
    recipe = task.recipe
    if not torch.isfinite(units).all():
        return f"{recipe.encoder} gives values for {task.clip} that are not numbers; leave that passage out."
    tensors = {
        "units": units.half() if units.abs().max() < 65504 else units,
        "f0": torch.as_tensor(pitch.filled()).float(),
        "uv": torch.as_tensor(pitch.voiced).float(),
        "volume": torch.as_tensor(audio.volume(wav, recipe.hop)),
    }
    if recipe.spectra:
        tensors |= spectra(wav, recipe.sample_rate, recipe.hop, *recipe.spectra, random.Random(task.sha256))
    write_whole(features_path(task.clip), save(tensors, {"fingerprint": recipe.fingerprint(task.sha256)}))
    return None


@lru_cache(maxsize=1)
def _engines(recipe: Recipe):
    """The encoder and the predictor, loaded once in every process."""
    encoder = encoders.get(recipe.encoder, recipe.encoder_path)
    encoder.half |= recipe.half
    return encoder, f0.get(recipe.f0, sample_rate=recipe.sample_rate, hop=recipe.hop, half=recipe.half)
