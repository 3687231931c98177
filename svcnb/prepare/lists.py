"""What training starts from: the lists of clips, config.json and diffusion.yaml.

Notebook: 01_data
"""

import hashlib
from pathlib import Path

from svcnb.config import Config, DiffusionConfig
from svcnb.files import write_whole
from svcnb.prepare.manifest import Manifest


def split(clips: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Clips of one speaker as (training, validation), two of them for validation where there are four or more.

    The order is that of a hash, so it is the same on every machine, and a new clip hardly changes it. A single clip
    is in both: a small data set trains too.
    """
    order = sorted(clips, key=lambda clip: _hash(clip, seed))
    if len(order) == 1:
        return order, order
    held_out = 2 if len(order) >= 4 else 1
    return order[held_out:], order[:held_out]


def write_lists(work: Path, config: Config, clips: dict[str, list[str]], seed: int) -> tuple[int, int]:
    """Write the lists of the clips of each speaker, one path a line relative to `work`; the length of both."""
    splits = [split(files, seed) for files in clips.values()]
    for i, name in enumerate((config.data.training_files, config.data.validation_files)):
        files = sorted((clip for both in splits for clip in both[i]), key=lambda clip: _hash(clip, seed))
        write_whole(work / name, "".join(f"{clip}\n" for clip in files))
    return tuple(sum(len(both[i]) for both in splits) for i in range(2))


def write_settings(work: Path, config: Config, preset: str, speakers: list[str], manifest: Manifest) -> None:
    """Write config.json and diffusion.yaml; files made with the same settings stay, with all edits in them."""
    settings = {
        "preset": preset,
        "encoder": config.model.speech_encoder,
        "vol_aug": config.train.vol_aug,
        "seed": config.train.seed,
        "speakers": speakers,
    }
    files = work / "configs/config.json", work / "configs/diffusion.yaml"
    if settings == manifest.settings and all(file.exists() for file in files):
        return
    config.spk = {speaker: i for i, speaker in enumerate(speakers)}
    config.model.n_speakers = len(speakers)
    config.save(files[0])
    DiffusionConfig.preset(config.model.speech_encoder, speakers).save(files[1])
    manifest.settings = settings
    manifest.save(work)


def _hash(clip: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {clip}".encode()).hexdigest()
