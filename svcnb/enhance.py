"""The enhancer: singing that a mel vocoder hears and sings again, which clears up what a voice model has muddled.

A vocoder knows the voices that it was trained on best. For notes above them, the adaptive key has it sing the sound
slowed down, and so lower, and speeds up what it made: high voices come out firmer, at the cost of the highest sounds.

Notebook: 05_infer
"""

import numpy as np
import torch

from svcnb.models.vocoder import Vocoder
from svcnb.spectral import resample


@torch.inference_mode()
def enhance(
    vocoder: Vocoder,
    sound: torch.Tensor,
    sample_rate: int,
    f0: torch.Tensor,
    hop: int,
    key: float = 0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Sing sound (1, N) again, at pitch f0 (1, T) in Hz every `hop` samples; (1, N') at the vocoder's rate.

    key: semitones by which the vocoder sings lower than what it gives. N' may be up to a frame short.
    """
    own = vocoder.sampling_rate
    rate = 100 * round(own * 2 ** (key / 12) / 100)  # what is sampled at this rate is played at the vocoder's own
    slower = own / rate
    sound = resample(sound, sample_rate, rate)
    heard = np.arange(f0.shape[1]) * hop / sample_rate / slower
    wanted = np.arange(sound.shape[1] // vocoder.hop + 1) * vocoder.hop / own
    hz = np.interp(wanted, heard, f0[0].double().cpu().numpy() * slower)
    sung = vocoder(vocoder.mel(sound, own), torch.from_numpy(hz).to(f0)[None], generator)
    return resample(sung[:, 0], rate, own)
