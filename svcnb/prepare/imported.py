"""A folder that the original prepared becomes a work folder of ours, nothing being computed anew.

Beside each <clip>.wav the original leaves `.wav.soft.pt` and `.wav.f0.npy`, and where they were asked for `.spec.pt`,
`.wav.vol.npy`, `.wav.mel.npy`, `.wav.aug_mel.npy` and `.wav.aug_vol.npy`. All of it goes into our one file; no code in
these files is run. Its configs are kept, so that a training begun there goes on here.

Notebook: 01_data
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from svcnb import audio
from svcnb.config import UNITS_DIM, Config, DiffusionConfig
from svcnb.dataset import features_path
from svcnb.files import alone_in, write_whole
from svcnb.prepare.features import read_fingerprint
from svcnb.prepare.lists import write_lists, write_settings
from svcnb.prepare.manifest import Clip, Manifest, Recording, Stamp
from svcnb.prepare.plan import Loudness
from svcnb.prepare.quality import measure
from svcnb.prepare.report import DataReport
from svcnb.prepare.scan import DataError
from svcnb.unpickle import read_npy, read_torch

CUTTING = "by the original"
SLACK = 3  # frames by which features may differ in length from their clip, as in the original


def import_features(
    folder: str | Path, work: str | Path, encoder: str | None = None, preset: str = "full", seed: int = 1234
) -> DataReport:
    """Copy the clips of `folder`, where dataset/44k/<speaker>/ and configs/ lie, into `work`, with their features.

    Where there is no configs/config.json, encoder says what made them (else it is the first of their width), and
    preset which settings to start from. Clips that cannot be used are left out and named in `report.skipped`; a second
    run reads only what has changed. Raises DataError, ConfigError, BusyError, OSError.
    """
    folder, work = Path(folder), Path(work)
    clips = sorted((folder / "dataset/44k").glob("*/*.wav"))
    if not clips:
        raise DataError(
            f"{folder} has no dataset/44k/<speaker>/*.wav; name the folder from which the original was run."
        )
    config = _config(folder, clips, encoder, preset, seed)
    with alone_in(work / "dataset", "preparation"):
        manifest, skipped = Manifest.load(work), []
        for clip in clips:
            try:
                _take(clip, folder, work, config, manifest)
            except (ValueError, KeyError) as error:
                skipped.append((clip.relative_to(folder).as_posix(), f"{clip} is left out: {error}"))
        manifest.save(work)
        report = DataReport.of(work, manifest, skipped)
        report.train, report.val = write_lists(work, config, report.clips(), seed)
        _write_settings(folder, work, config, preset, list(report.speakers), manifest)
    return report


def _config(folder: Path, clips: list[Path], encoder: str | None, preset: str, seed: int) -> Config:
    """The settings that lie there, else those of a preset."""
    path = folder / "configs/config.json"
    if path.is_file():
        return Config.load(path)
    config = Config.preset(preset, encoder or _encoder_of(clips))
    config.train.seed = seed
    return config


def _encoder_of(clips: list[Path]) -> str:
    """The first encoder with units as wide as those of the first clip that has any. Raises DataError."""
    stored = next((path for clip in clips if (path := Path(f"{clip}.soft.pt")).is_file()), None)
    if stored is None:
        raise DataError(f"Beside {clips[0]} lies no .soft.pt; let the original make features, or use `prepare`.")
    width = _tensor(stored).shape[1]
    name = next((name for name, dim in UNITS_DIM.items() if dim == width), None)
    if name is None:
        raise DataError(f"{stored} has units of {width} values, which no speech encoder gives.")
    return name


def _write_settings(
    folder: Path, work: Path, config: Config, preset: str, speakers: list[str], manifest: Manifest
) -> None:
    """The settings that lie there with their numbers of speakers, else new ones."""
    if not config.spk:
        return write_settings(work, config, preset, speakers, manifest)
    config.save(work / "configs/config.json")
    diffusion = folder / "configs/diffusion.yaml"
    names = sorted(config.spk, key=config.spk.get)
    template = DiffusionConfig.preset(config.model.speech_encoder, names)
    (DiffusionConfig.load(diffusion) if diffusion.is_file() else template).save(work / "configs/diffusion.yaml")


def _take(clip: Path, folder: Path, work: Path, config: Config, manifest: Manifest) -> None:
    """Take over one clip, if that is not done already. Raises ValueError where it or its features are not usable."""
    source = clip.relative_to(folder / "dataset/44k").as_posix()
    target, stamp = work / "dataset/44k" / source, Stamp.of(clip)
    origin = json.dumps({path.name: list(vars(Stamp.of(path)).values()) for path in (clip, *_files(clip).values())})
    if manifest.is_current(work, source, stamp, CUTTING) and read_fingerprint(target) == origin:
        return
    wav, rate = audio.load(clip)
    tensors = dict(_tensors(clip, wav, config))
    write_whole(target, clip.read_bytes())
    write_whole(features_path(target), save(tensors, {"fingerprint": origin}))
    made = Clip.of(work, target.relative_to(work).as_posix(), len(wav) / rate)
    quality = measure(wav, rate, Loudness.of(wav, rate))
    manifest.recordings[source] = Recording(stamp=stamp, cutting=CUTTING, name=clip.stem, clips=[made], quality=quality)


def _files(clip: Path) -> dict[str, Path]:
    """What lies beside a clip, by the original's names for it."""
    names = {
        name: Path(f"{clip}.{name}")
        for name in ("soft.pt", "f0.npy", "vol.npy", "mel.npy", "aug_mel.npy", "aug_vol.npy")
    }
    return {name: path for name, path in (names | {"spec.pt": clip.with_suffix(".spec.pt")}).items() if path.is_file()}


def _tensors(clip: Path, wav: np.ndarray, config: Config) -> Iterator[tuple[str, torch.Tensor]]:
    """Our names and tensors of a clip's features. Raises ValueError where they are not as the original makes them."""
    files, hop = _files(clip), config.data.hop_length
    frames = len(wav) // hop
    for needed in ("soft.pt", "f0.npy"):
        if needed not in files:
            raise ValueError(f"beside it lies no .{needed}.")
    units = _checked(files["soft.pt"], _tensor(files["soft.pt"])[0].T, None, config.model.ssl_dim)
    yield "units", units.half() if units.abs().max() < 65504 else units
    f0, uv = read_npy(files["f0.npy"]).astype(np.float32)
    yield "f0", _checked(files["f0.npy"], f0, frames)
    yield "uv", _checked(files["f0.npy"], uv, frames)
    volume = read_npy(files["vol.npy"]) if "vol.npy" in files else audio.volume(wav, hop)
    yield "volume", _checked(clip, volume, frames)
    if "spec.pt" in files:
        yield (
            "spec",
            _checked(files["spec.pt"], _tensor(files["spec.pt"]).T, frames, config.data.filter_length // 2 + 1),
        )
    if {"mel.npy", "aug_mel.npy", "aug_vol.npy"} <= set(files):
        mel, semitones = read_npy(files["aug_mel.npy"])
        mel = np.asarray(mel, np.float32)
        yield "mel", _checked(files["mel.npy"], read_npy(files["mel.npy"]), frames, mel.shape[-1])
        yield "aug_mel", _checked(files["aug_mel.npy"], mel, frames, mel.shape[-1])
        yield "aug_volume", _checked(files["aug_vol.npy"], read_npy(files["aug_vol.npy"]), frames)
        yield "aug_semitones", torch.tensor([float(semitones)])


def _tensor(path: Path) -> torch.Tensor:
    """The tensor in a file of torch. Raises CheckpointError, ValueError where something else is in it."""
    if not isinstance(value := read_torch(path), torch.Tensor) or value.dim() < 2:
        raise ValueError(f"{path.name} holds no features.")
    return value


def _checked(path: Path, values: np.ndarray | torch.Tensor, frames: int | None, *width: int) -> torch.Tensor:
    """Values (T, *width) as float32 in a row. Raises ValueError for another shape or length, or what is no number."""
    values = torch.as_tensor(np.array(values) if isinstance(values, np.ndarray) else values).float().contiguous()
    if values.shape[1:] != width or (frames is not None and abs(len(values) - frames) >= SLACK):
        raise ValueError(
            f"{path.name} has the shape {tuple(values.shape)}, which does not fit the clip or the settings."
        )
    if not torch.isfinite(values).all():
        raise ValueError(f"{path.name} holds values that are not numbers.")
    return values
