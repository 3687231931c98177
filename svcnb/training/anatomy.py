"""The two ways that a So-VITS knows to sing a recording, side by side.

While it learns, it sees the recording itself: the posterior encoder listens to the spectrogram. When it converts, it
has only units and pitch: the prior encoder must promise what the other would have heard. The flow lies between them.

Notebook: 03_train_sovits
"""

from typing import NamedTuple

import numpy as np
import torch

from svcnb import encoders, f0
from svcnb.audio import resample, volume
from svcnb.config import Config
from svcnb.models.pitch import coarse_f0
from svcnb.models.sovits import Sovits
from svcnb.spectral import spectrogram


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
