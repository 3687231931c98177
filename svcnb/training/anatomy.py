"""What is inside a So-VITS, to be heard: the two ways that it knows to sing a recording, and what it knows of a singer.

While it learns, it sees the recording itself: the posterior encoder listens to the spectrogram. When it converts, it
has only units and pitch: the prior encoder must promise what the other would have heard. The flow lies between them.

Notebook: 03_train_sovits
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from svcnb import encoders, f0
from svcnb.audio import resample, volume
from svcnb.config import Config
from svcnb.dataset import SovitsDataset
from svcnb.models.pitch import coarse_f0
from svcnb.models.sovits import Sovits
from svcnb.spectral import spectrogram
from svcnb.training import loop, sovits


class TwoWays(NamedTuple):
    """One recording (N,) sung from what was heard, and from what was promised; latents are (T, C)."""

    heard: np.ndarray  # posterior latent, in the speaker's voice
    promised: np.ndarray  # prior latent, brought there by the flow
    copied: np.ndarray  # sound (N,) of the first
    sung: np.ndarray  # sound (N,) of the second, as in a conversion


@torch.inference_mode()
def two_ways(model: Sovits, config: Config, wav: np.ndarray, speaker: str | int) -> TwoWays:
    """Sing a recording (N,) at the model's sample rate both ways, without noise in the latents.

    Raises KeyError for a speaker that the model does not have, EncoderError, F0Error.
    """
    data = config.data
    frames = len(wav) // data.hop_length
    wav = torch.as_tensor(wav[: frames * data.hop_length], dtype=torch.float32)
    pitch = f0.get("fcpe", data.sampling_rate, data.hop_length)(wav.numpy())
    heard = encoders.get(config.model.speech_encoder).units(resample(wav.numpy(), data.sampling_rate, 16000))
    units = encoders.stretch(heard, frames, data.unit_interpolate_mode).mT[None]
    hz, uv = (torch.as_tensor(row, dtype=torch.float32)[None] for row in (pitch.filled(), pitch.voiced))
    loud = torch.as_tensor(volume(wav.numpy(), data.hop_length))[None] if config.model.vol_embedding else None
    who = torch.tensor([config.speaker_id(speaker)])
    g, mask = model.emb_g(who).unsqueeze(-1), torch.ones(1, 1, frames)
    spec = spectrogram(wav[None], data.filter_length, data.hop_length, data.win_length)[..., :frames]
    near = model.enc_q(spec, mask, g).m
    far = model.flow(model.enc_p(model._read(units, uv, loud, mask), mask, coarse_f0(hz)).m, mask, g, reverse=True)
    copied, sung = (model.dec(z, hz, g, torch.Generator().manual_seed(0))[0, 0].numpy() for z in (near, far))
    return TwoWays(near[0].mT.numpy(), far[0].mT.numpy(), copied, sung)


class HeldBack(NamedTuple):
    """Clips that training does not learn from, as a voice sings them."""

    sounds: dict[str, np.ndarray]  # (N,) at the config's rate, by speaker/clip
    distance: float  # mean |difference| of natural-log mels from the recordings


def held_back(work: str | Path, config: Config, voice: str | Path | None) -> HeldBack:
    """Up to three validation clips of a prepared work folder, sung by a voice that may not know the singer yet.

    voice: a model file; None: a network that has learnt nothing. Raises DatasetError, CheckpointError.
    """
    acc = loop.accelerator()
    model = sovits.new_state(config, acc, base=voice).first().eval()
    sounds, scores = sovits.evaluate(model, SovitsDataset(config, work, "val"), acc.device)
    return HeldBack(sounds, scores["mel"])
