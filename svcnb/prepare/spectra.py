"""Spectra of a clip, for those who would store them rather than have the training compute them.

`spec` (P, n_fft // 2 + 1) are the magnitudes that So-VITS learns from. `mel` (P, 128) is what the usual vocoder hears;
`aug_mel` is the same of the clip louder or softer, and higher or lower by `aug_semitones` (1,), with `aug_volume` (P,).
As in the original there is one such shift for each clip. The mels are there where the frames are the vocoder's.

Notebook: 04_train_diffusion
"""

import random

import numpy as np
import torch

from svcnb import audio
from svcnb.dataset import LARGEST_SHIFT, random_gain
from svcnb.spectral import NSF_HIFIGAN, spectrogram, vocoder_mel


def spectra(
    wav: np.ndarray, sample_rate: int, hop: int, n_fft: int, win: int, rng: random.Random
) -> dict[str, torch.Tensor]:
    """The spectra of a clip (N,), by name. Raises ValueError when it is shorter than a window."""
    sound = torch.from_numpy(wav)[None]
    found = {"spec": spectrogram(sound, n_fft, hop, win)[0].T}
    if (sample_rate, hop) == (NSF_HIFIGAN["sample_rate"], NSF_HIFIGAN["hop"]):
        gain, semitones = random_gain(wav, rng), rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT)
        found["mel"] = vocoder_mel(sound, **NSF_HIFIGAN)[0].T
        found["aug_mel"] = vocoder_mel(sound * gain, **NSF_HIFIGAN, semitones=semitones)[0].T
        found["aug_volume"] = torch.from_numpy(audio.volume(wav * np.float32(gain), hop))
        found["aug_semitones"] = torch.tensor([semitones])
    return {name: values.contiguous() for name, values in found.items()}
