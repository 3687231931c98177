"""Clips as training batches for diffusion: what is sung, at which pitch, how loud, and the mel that it should give.

Half of the stretches are heard higher or lower, formants and all, and louder or softer; pitch, volume and mel always
change together, and the network is told by how much.

Notebook: 04_train_diffusion
"""

import logging
import random
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from svcnb.audio import load
from svcnb.config import DiffusionConfig
from svcnb.dataset import LARGEST_SHIFT, Clip, fingerprint, listed, random_gain, read_clip, stored_mels

SAME = 0.05  # nats: mean distance up to which two mels of a clip count as one
log = logging.getLogger(__name__)


class MelItem(NamedTuple):
    """A stretch of a clip, or a batch of them with a first dimension B; T frames."""

    units: torch.Tensor  # (T, D)
    f0: torch.Tensor  # (T, 1) Hz, filled through unvoiced stretches
    volume: torch.Tensor  # (T, 1) RMS
    mel: torch.Tensor  # (T, M) natural log
    speaker: torch.Tensor  # ()
    semitones: torch.Tensor  # () by which it was shifted

    def to(self, device) -> "MelItem":
        return MelItem(*(x.to(device, non_blocking=True) for x in self))


class Heard(NamedTuple):
    """A whole clip as it is learnt from, shifted or not: mel (T, M), volume (T,)."""

    mel: torch.Tensor
    volume: torch.Tensor
    semitones: float


class MelDataset(Dataset):
    """The clips of a prepared work folder's training or validation list.

    Indexed by (clip, key): the same key gives the same random stretch. analyse: (audio (1, N), sample rate, semitones)
    to mel (1, T, M). Whole clips in validation. Where all data are cached, each clip has one shift, drawn once, as in
    the original; where not, every stretch has its own. Mels that `prepare` stored are used. Raises DatasetError.
    """

    def __init__(self, config: DiffusionConfig, work: Path, analyse: Callable[..., torch.Tensor], split: str = "train"):
        data, self.training = config.data, split == "train"
        self.config, self.work, self.analyse = config, work, analyse
        self.speakers = config.spk if config.model.n_spk > 1 else None
        listing = data.training_files if self.training else data.validation_files
        names = self.speakers or {path.name: 0 for path in (work / "dataset/44k").glob("*")}
        self.clips = listed(work, listing, names, needed=self.training)
        self.frames = int(data.duration * data.sampling_rate / data.block_size)
        self._kept: dict[tuple[int, bool], MelItem] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: tuple[int, str]) -> MelItem:
        clip, key = index
        return self.item(clip, random.Random(key))

    def fingerprint(self) -> str:
        """Changes when the clips or their features are others."""
        return fingerprint(self.work, self.clips)

    def item(self, index: int, rng: random.Random) -> MelItem:
        """A random stretch of a clip; the place is drawn first, then whether it is shifted, as in the original."""
        place, shifted = rng.random(), rng.random() < 0.5
        shifted = shifted and self.training and self.config.model.use_pitch_aug
        whole = self._whole(index, shifted, rng)
        frames = len(whole.f0)
        if not self.training:
            return whole
        start = int(place * (frames - self.frames + 1))
        cut = lambda x: x[start : start + self.frames].float() if x.dim() else x
        return MelItem(*map(cut, whole))

    def _whole(self, index: int, shifted: bool, rng: random.Random) -> MelItem:
        train = self.config.train
        if not (train.cache_all_data and self.training):
            return self._hear(index, rng if shifted else None)
        if (index, shifted) not in self._kept:
            item = self._hear(index, random.Random(f"shift of {index}") if shifted else None)
            if train.cache_fp16:
                item = item._replace(units=item.units.half(), mel=item.mel.half())
            on_gpu = train.cache_device != "cpu" and torch.cuda.is_available()
            self._kept[index, shifted] = item.to("cuda" if on_gpu else "cpu")
        return self._kept[index, shifted]

    @torch.no_grad()
    def _hear(self, index: int, rng: random.Random | None) -> MelItem:
        """A whole clip, shifted at random if there is a generator."""
        data, path = self.config.data, self.clips[index]
        clip = read_clip(
            path, data.sampling_rate, data.block_size, data.encoder_out_channels, data.unit_interpolate_mode
        )
        clip = clip.padded(self.frames, data.block_size)
        mel, volume, semitones = self._stored(path, clip, rng) or self._analysed(clip, rng)
        column = lambda x: x[: len(mel), None].float()
        return MelItem(
            units=clip.units[: len(mel)],
            f0=column(clip.f0 * 2 ** (semitones / 12)),
            volume=column(volume),
            mel=mel,
            speaker=torch.tensor(self.speakers[path.parent.name] if self.speakers else 0),
            semitones=torch.tensor(semitones),
        )

    def _analysed(self, clip: Clip, rng: random.Random | None) -> Heard:
        semitones = 0.0
        if rng is not None:
            clip, semitones = (
                clip.louder(random_gain(clip.wav.numpy(), rng)),
                rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT),
            )
        mel = self.analyse(clip.wav[None], self.config.data.sampling_rate, semitones)[0, : len(clip.f0)]
        return Heard(mel, clip.volume, semitones)

    def _stored(self, path: Path, clip: Clip, rng: random.Random | None) -> Heard | None:
        """What was stored beside a clip, where each clip has but one shift and the mels are this vocoder's."""
        stored = stored_mels(path)
        if len(stored.get("mel", ())) < len(clip.f0) or not self._are_this_vocoders:
            return None
        if rng is None:
            return Heard(stored["mel"][: len(clip.f0)], clip.volume, 0.0)
        if not self.config.train.cache_all_data or "aug_mel" not in stored:
            return None
        return Heard(stored["aug_mel"][: len(clip.f0)], stored["aug_volume"], stored["aug_semitones"].item())

    @cached_property
    def _are_this_vocoders(self) -> bool:
        """Whether stored mels are what the vocoder hears; the first clip that has one decides."""
        path, mel = next((path, mels["mel"]) for path in self.clips if "mel" in (mels := stored_mels(path)))
        heard = self.analyse(torch.from_numpy(load(path)[0])[None], self.config.data.sampling_rate, 0.0)[0]
        alike = heard.shape[1] == mel.shape[1] and (heard[: len(mel)] - mel[: len(heard)]).abs().mean() < SAME
        if not alike:
            log.warning("The mels stored beside %s are another vocoder's, so all are computed anew.", path)
        return bool(alike)


def stack(items: list[MelItem]) -> MelItem:
    """A batch of stretches of one length."""
    return MelItem(*map(torch.stack, zip(*items, strict=True)))
