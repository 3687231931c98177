"""Clips and their features as training batches.

An item is a stretch of a clip, chosen by a random generator that depends only on the seed, the epoch and the clip, so
that a training resumed in the middle meets the same stretches as one that was never stopped.

Notebook: 03_train_sovits
"""

import hashlib
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import librosa
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from svcnb.audio import load
from svcnb.config import Config, DataConfig
from svcnb.encoders.stretch import stretch
from svcnb.spectral import spectrogram

LARGEST_SHIFT = 5.0  # semitones by which a clip may be moved for diffusion to learn from
DRIFT = 15  # frames after which the difference between two singers' loudness is another one


class DatasetError(ValueError):
    """The prepared data does not fit the training; the message says what to do."""


class Item(NamedTuple):
    """A stretch of one clip; T frames of `hop_length` samples."""

    units: torch.Tensor  # (D, T)
    f0: torch.Tensor  # (T,) Hz, filled through unvoiced stretches
    uv: torch.Tensor  # (T,) 1 = voiced
    spec: torch.Tensor  # (bins, T) magnitudes
    wav: torch.Tensor  # (1, T * hop)
    speaker: int
    volume: torch.Tensor | None  # (T,) RMS


class Batch(NamedTuple):
    """Items, longest first, padded with zeros to the longest."""

    units: torch.Tensor  # (B, D, T)
    f0: torch.Tensor  # (B, T)
    uv: torch.Tensor  # (B, T)
    spec: torch.Tensor  # (B, bins, T)
    wav: torch.Tensor  # (B, 1, T * hop)
    speaker: torch.Tensor  # (B,)
    lengths: torch.Tensor  # (B,) frames
    volume: torch.Tensor | None  # (B, T)

    def to(self, device) -> "Batch":
        return Batch(*(x if x is None else x.to(device, non_blocking=True) for x in self))


class SovitsDataset(Dataset):
    """The clips of a prepared work folder's training list, or whole ones of its validation list.

    Indexed by (clip, key): the same key gives the same random stretch. Raises DatasetError for missing features,
    unknown speakers, a wrong sample rate or features of another encoder.
    """

    def __init__(self, config: Config, work: str | Path, split: str = "train"):
        self.config, self.work, self.training = config, Path(work), split == "train"
        listing = config.data.training_files if self.training else config.data.validation_files
        self.clips = listed(self.work, listing, config.spk, needed=self.training)
        self._kept: dict[int, tuple] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: tuple[int, str]) -> Item:
        clip, key = index
        return self.item(clip, random.Random(key))

    def fingerprint(self) -> str:
        """Changes when the clips or their features are others."""
        return fingerprint(self.work, self.clips)

    def item(self, index: int, rng: random.Random) -> Item:
        """A random stretch of a clip; drawn in the original's order: loudness, then place, then (ours) pitch."""
        whole, train, hop = self._clip(index), self.config.train, self.config.data.hop_length
        clip = whole
        if rng.choice([True, False]) and self.training and train.vol_aug and self.config.model.vol_embedding:
            clip = clip.louder(random_gain(clip.wav.numpy(), rng))
        start, length = 0, len(clip.f0)
        if self.training and length > train.crop_frames + 10:
            start, length = rng.randint(0, length - train.crop_frames - 10), train.crop_frames
        if self.training and train.pitch_aug:
            factor = 2 ** (rng.uniform(-1, 1) * train.pitch_aug / 12)
            clip, start = clip.faster(factor, hop), int(start / factor)
        frames = slice(start, min(start + length, len(clip.f0)))
        stored = stored_spectrum(self.clips[index], frames, self.config.data) if clip is whole else None
        spec = self._spectrum(clip, frames) if stored is None else stored
        if self.training and train.vol_jitter:
            clip = clip._replace(volume=clip.volume * random_drift(len(clip.volume), train.vol_jitter, rng))
        return self._cut(clip, frames, spec, self.config.spk[self._speaker(index)])

    def _spectrum(self, clip: "Clip", frames: slice) -> torch.Tensor:
        hop, data = self.config.data.hop_length, self.config.data
        margin = math.ceil(data.filter_length / 2 / hop)  # so that the spectrum of a stretch is that of the whole clip
        first = max(0, frames.start - margin)
        around = clip.wav[first * hop : (frames.stop + margin) * hop]
        spec = spectrogram(around[None], data.filter_length, hop, data.win_length)[0]
        return spec[:, frames.start - first : frames.stop - first]

    def _cut(self, clip: "Clip", frames: slice, spec: torch.Tensor, speaker: int) -> Item:
        hop = self.config.data.hop_length
        return Item(
            units=clip.units[frames].T,
            f0=clip.f0[frames],
            uv=clip.uv[frames],
            spec=spec,
            wav=clip.wav[None, frames.start * hop : frames.stop * hop],
            speaker=speaker,
            volume=clip.volume[frames] if self.config.model.vol_embedding else None,
        )

    def _speaker(self, index: int) -> str:
        return self.clips[index].parent.name

    def _clip(self, index: int) -> "Clip":
        if index not in self._kept:
            clip = self._read(self.clips[index])
            if not self.config.train.all_in_mem:
                return clip
            self._kept[index] = clip
        return self._kept[index]

    def _read(self, path: Path) -> "Clip":
        data, train = self.config.data, self.config.train
        clip = read_clip(
            path, data.sampling_rate, data.hop_length, self.config.model.ssl_dim, data.unit_interpolate_mode
        )
        return clip.padded(train.segment_size // data.hop_length, data.hop_length)


class Clip(NamedTuple):
    """A whole clip: wav (N,), and per frame units (T, D), f0, uv, volume (T,)."""

    wav: torch.Tensor
    units: torch.Tensor
    f0: torch.Tensor
    uv: torch.Tensor
    volume: torch.Tensor

    def louder(self, gain: float) -> "Clip":
        return self._replace(wav=self.wav * gain, volume=self.volume * gain)

    def faster(self, factor: float, hop: int) -> "Clip":
        """Play it `factor` times faster: pitch and formants rise together."""
        wav = torch.from_numpy(librosa.resample(self.wav.numpy(), orig_sr=factor, target_sr=1.0))
        frames = (torch.arange(len(wav) // hop) * factor).long().clamp(max=len(self.f0) - 1)
        return Clip(wav, self.units[frames], self.f0[frames] * factor, self.uv[frames], self.volume[frames])

    def padded(self, frames: int, hop: int) -> "Clip":
        """Silence after the end, up to a number of frames, if there are less."""
        if len(self.f0) >= frames:
            return self
        wav, per_frame = self.wav[: frames * hop], self[1:]
        fill = lambda x, n: torch.cat([x, x.new_zeros(n - len(x), *x.shape[1:])])
        return Clip(fill(wav, frames * hop), *(fill(x, frames) for x in per_frame))


def listed(work: Path, listing: str, speakers: dict[str, int], needed: bool = True) -> list[Path]:
    """The clips that a list in a work folder names. Raises DatasetError for a missing list or an unknown speaker."""
    path = work / listing
    if not path.exists():
        raise DatasetError(f"{path} is missing: prepare the data first.")
    lines = path.read_text(encoding="utf-8").splitlines()
    clips = [work / line.split("|")[0] for line in lines if line.strip()]
    if needed and not clips:
        raise DatasetError(f"{path} names no clips: prepare some singing first.")
    for speaker in {clip.parent.name for clip in clips} - set(speakers):
        raise DatasetError(f"The data has a speaker {speaker!r} that the config's spk does not name: prepare again.")
    return clips


def fingerprint(work: Path, clips: list[Path]) -> str:
    """Of clips and their features: changes when they are others."""
    digest = hashlib.sha256()
    for clip in clips:
        sizes = [path.stat().st_size if path.exists() else 0 for path in (clip, features_path(clip))]
        digest.update(f"{clip.relative_to(work).as_posix()} {sizes}".encode())
    return digest.hexdigest()[:16]


def read_clip(path: Path, sampling_rate: int, hop: int, dim: int, mode: str) -> Clip:
    """A clip and its features, the units of `dim` values stretched to its frames by `mode`. Raises DatasetError."""
    try:
        with safe_open(features_path(path), "pt") as file:
            features = {name: file.get_tensor(name).float() for name in ("units", "f0", "uv", "volume")}
    except (OSError, SafetensorError):
        raise DatasetError(f"The features of {path} are missing or damaged: prepare the data again.") from None
    if broken := [name for name, value in features.items() if not value.isfinite().all()]:
        raise DatasetError(
            f"{features_path(path)} holds values of {broken[0]} that are not numbers: delete it and prepare again."
        )
    units, f0, uv, volume = features.values()
    wav, rate = load(path)
    if rate != sampling_rate:
        raise DatasetError(f"{path} has {rate} Hz, the config says {sampling_rate} Hz: prepare the data again.")
    if units.shape[1] != dim:
        raise DatasetError(
            f"The units of {path} have {units.shape[1]} dimensions, but the config says {dim}: prepare the data again "
            "with the speech encoder that the config names."
        )
    frames = min(len(f0), len(wav) // hop)
    units = stretch(units, len(f0), mode)
    return Clip(torch.from_numpy(wav), units[:frames], f0[:frames], uv[:frames], volume[:frames])


def stored_spectrum(clip: Path, frames: slice, data: DataConfig) -> torch.Tensor | None:
    """Frames of the spectrogram (bins, T) that lies beside a clip, no others being read; None if they are not there."""
    with safe_open(features_path(clip), "pt") as file:
        if "spec" not in file.keys():  # noqa: SIM118
            return None
        spec = file.get_slice("spec")
        count, bins = spec.get_shape()
        return spec[frames].T if count >= frames.stop and bins == data.filter_length // 2 + 1 else None


def stored_mels(clip: Path) -> dict[str, torch.Tensor]:
    """Mels that lie beside a clip, if any: mel and aug_mel (T, M), aug_volume (T,), aug_semitones (1,)."""
    with safe_open(features_path(clip), "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(("mel", "aug_"))}  # noqa: SIM118


def random_gain(wav: np.ndarray, rng: random.Random) -> float:
    """A factor for the loudness of a clip (N,): from a tenth up to ten, as far as the peak allows."""
    return 10 ** rng.uniform(-1, min(1, math.log10(1 / (float(np.abs(wav).max()) + 1e-5))))


def random_drift(frames: int, decibels: float, rng: random.Random) -> torch.Tensor:
    """Factors (T,) that wander about 1 by so many dB, as slowly as two singers' loudness of the same words differs."""
    knots = [rng.gauss(0, decibels) for _ in range(frames // DRIFT + 2)]
    drift = np.interp(np.arange(frames), (np.arange(len(knots)) - rng.random()) * DRIFT, knots)
    return torch.from_numpy(10 ** (drift / 20)).float()


def features_path(clip: Path) -> Path:
    """Where a clip's features lie: beside it."""
    return clip.with_name(clip.stem + ".features.safetensors")


def collate(items: list[Item]) -> Batch:
    """Longest first, padded with zeros."""
    items = sorted(items, key=lambda item: -len(item.f0))
    stack = lambda tensors: pad_sequence([x.mT if x.dim() > 1 else x for x in tensors], batch_first=True)
    units, f0, uv, spec, wav, _, volume = zip(*items, strict=True)
    return Batch(
        units=stack(units).mT,
        f0=stack(f0),
        uv=stack(uv),
        spec=stack(spec).mT,
        wav=stack(wav).mT,
        speaker=torch.tensor([item.speaker for item in items]),
        lengths=torch.tensor([len(item.f0) for item in items]),
        volume=None if volume[0] is None else stack(volume),
    )


class Batches:
    """Endless batches of (clip, key), in an order that only the seed decides, from a given step on.

    Every epoch is shuffled anew. Of several processes (`rank` of `world`) each gets its own share of every batch.
    """

    def __init__(self, clips: int, batch_size: int, seed: int, step: int = 0, rank: int = 0, world: int = 1):
        self.clips, self.batch_size, self.seed = clips, batch_size, seed
        self.step, self.rank, self.world = step, rank, world
        self.per_epoch = math.ceil(clips / (batch_size * world))

    def __iter__(self) -> Iterator[list[tuple[int, str]]]:
        epoch, position = divmod(self.step, self.per_epoch)
        while True:
            yield from self._epoch(epoch)[position:]
            epoch, position = epoch + 1, 0

    def _epoch(self, epoch: int) -> list[list[tuple[int, str]]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.clips).tolist()
        order += order[: -len(order) % self.world]  # as many for each process
        items = [(clip, f"{self.seed}/{epoch}/{i}") for i, clip in enumerate(order)]
        joint = self.batch_size * self.world
        return [items[i : i + joint][self.rank :: self.world] for i in range(0, len(items), joint)]
