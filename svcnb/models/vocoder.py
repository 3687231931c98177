"""The mel vocoder: from a log mel and pitch to sound, for every voice.

The same generator as So-VITS' decoder, without a speaker: what it needs to know of the voice is in the mel. Diffusion
speaks through it.

Notebook: 04_train_diffusion
"""

import math
from collections.abc import Callable

import torch

from svcnb.models.nsf_hifigan import Generator

LOG10_E = 0.434294  # natural to decimal logarithm, to the digits that the original has


class Vocoder(Generator):
    """NSF-HiFiGAN on mels, built from a VocoderConfig and the function that makes its mels.

    analyse: (audio (B, N), sample_rate, semitones) to log mel (B, M, T). log10: the network wants decimal logarithms.
    """

    def __init__(self, config, analyse: Callable[..., torch.Tensor], log10: bool = False):
        if (hop := math.prod(config.upsample_rates)) != config.hop_size:
            raise ValueError(f"upsample_rates multiply to {hop}, but hop_size is {config.hop_size}.")
        super().__init__(config, config.num_mels, smear=True)
        self.config, self.sampling_rate, self.n_mels = config, config.sampling_rate, config.num_mels
        self.analyse, self.log10 = analyse, log10

    def mel(self, audio: torch.Tensor, sample_rate: int, semitones: float = 0) -> torch.Tensor:
        """Natural log mel (B, T, M) of sound (B, N) at any rate, as if sung `semitones` higher."""
        return self.analyse(audio, sample_rate, semitones).mT

    def forward(self, mel: torch.Tensor, f0: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Sound (B, 1, T * hop) in (-1, 1) of a natural log mel (B, T, M), sung at f0 (B, T or more) in Hz.

        f0 is 0 where there is no pitch and may have a last dimension of 1. Raises ValueError where it is too short.
        """
        f0 = f0.reshape(len(f0), -1)
        if f0.shape[1] < mel.shape[1]:
            raise ValueError(f"The pitch has {f0.shape[1]} frames, but the mel has {mel.shape[1]}.")
        x = mel.mT * LOG10_E if self.log10 else mel.mT
        return super().forward(x, f0[:, : mel.shape[1]], generator=generator)
