"""Recordings in, training data out: clips, features, lists, settings, and a report on what was recorded.

    report = prepare("raw", "work", encoder="vec768l12", f0="rmvpe")
    print(report)

raw/<speaker>/ holds recordings of any kind, in folders as one likes. In the work folder appear dataset/44k/<speaker>/
(clips of 5 to 15 s and beside each its features), filelists/, configs/ and dataset/manifest.json, which records what
was made of what. A second run does only what a changed recording or setting asks for.

Notebook: 01_data
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from svcnb import audio
from svcnb.config import Config
from svcnb.files import alone_in, remove_parts
from svcnb.prepare.cut import cut_recordings
from svcnb.prepare.features import Recipe, extract_features
from svcnb.prepare.imported import import_features
from svcnb.prepare.lists import write_lists, write_settings
from svcnb.prepare.manifest import Manifest
from svcnb.prepare.report import DataReport
from svcnb.prepare.scan import DataError, find_recordings
from svcnb.prepare.workers import Workers

__all__ = ["DataError", "DataReport", "import_features", "prepare"]


def prepare(
    raw: str | Path,
    work: str | Path,
    encoder: str = "lesson",
    f0: str = "fcpe",
    loudness: str = "peak",
    preset: str = "full",
    vol_aug: bool = False,
    encoder_path: str | Path | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 1234,
    half: bool = False,
    spectra: bool = False,
) -> DataReport:
    """Make training data in `work` of the recordings in raw/<speaker>/, and report on them.

    loudness: `peak`, `lufs` or `none`, for each recording as a whole. processes: 1 works here, None chooses. progress:
    called with how many recordings and clips are done of how many; that grows when the recordings have been cut.
    half: networks compute in bfloat16 on a CPU that has it, in two thirds of the time; units differ by a hundredth,
    pitch by less than a cent (on a GPU the encoder always uses half precision). spectra: store spectrograms and mels
    too, see `svcnb.prepare.spectra`.
    Recordings that cannot be used are left out and named in `report.skipped`. Raises DataError when there is nothing
    to learn from, ConfigError, AudioError, EncoderError or F0Error for a wrong name, BusyError when another preparation
    is at work in the folder, OSError when the disk is full.
    """
    raw, work = Path(raw), Path(work)
    config = _config(preset, encoder, vol_aug, seed)
    recipe = Recipe.of(encoder, encoder_path, f0, config.data, half, spectra)
    _refuse_overlap(raw, work)
    audio.normalize(np.zeros(1), recipe.sample_rate, loudness)  # refuses an unknown mode before any work is done
    recordings, skipped = find_recordings(raw)
    with Workers(processes, progress) as workers, alone_in(work / "dataset", "preparation"):
        for folder in (work / "dataset/44k").glob("*"):
            remove_parts(folder)
        manifest = Manifest.load(work)
        new_clips, unusable = cut_recordings(raw, work, recordings, loudness, recipe.sample_rate, manifest, workers)
        new_features, unfit = extract_features(work, manifest, recipe, workers)
        report = DataReport.of(work, manifest, skipped + unusable + unfit)
        report.new_clips, report.new_features = new_clips, new_features
        report.train, report.val = write_lists(work, config, report.clips(), seed)
        write_settings(work, config, preset, list(report.speakers), manifest)
    return report


def _config(preset: str, encoder: str, vol_aug: bool, seed: int) -> Config:
    config = Config.preset(preset, encoder)
    config.train.seed = seed
    if vol_aug:
        config.train.vol_aug = config.model.vol_embedding = True
    return config


def _refuse_overlap(raw: Path, work: Path) -> None:
    source, product = raw.resolve(), (work / "dataset").resolve()
    if source.is_relative_to(product) or product.is_relative_to(source):
        raise DataError(f"{raw} and {work} overlap, so clips would be taken for recordings; keep them apart.")
