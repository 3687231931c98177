"""Pitch as the network sees it: 256 coarse bins, and a log scale for the pitch it predicts itself.

Notebook: 02_features
"""

import math

import torch

F0_MIN, F0_MAX, BINS = 50.0, 1100.0, 256  # Hz, Hz, rows of the pitch embedding


def coarse_f0(f0: torch.Tensor) -> torch.Tensor:
    """Pitch in Hz to integer bins on a mel scale: 1 up to 50 Hz (and where unvoiced), 255 from 1100 Hz on.

    The original's bin for pitch above 1103 Hz is 0 by a slip; here it is 255.
    """
    mel = lambda hz: 1127 * math.log(1 + hz / 700)
    scale = (BINS - 2) / (mel(F0_MAX) - mel(F0_MIN))
    bins = 1127 * torch.log(1 + f0 / 700) * scale - (mel(F0_MIN) * scale - 1)
    return bins.round().clamp(1, BINS - 1).long()


def log_f0(f0: torch.Tensor) -> torch.Tensor:
    """Pitch in Hz to the scale of the F0 decoder; 0 stays 0."""
    return 2595 * torch.log10(1 + f0 / 700) / 500


def log_f0_to_hz(lf0: torch.Tensor) -> torch.Tensor:
    """The inverse of `log_f0`."""
    return 700 * (10 ** (lf0 * 500 / 2595) - 1)


def normalize_log_f0(lf0, mask, uv, factor=1.0) -> torch.Tensor:
    """Melody without its key: log F0 (B, 1, T) less its mean over voiced frames, times `factor` (B, 1) or a number.

    mask (B, 1, T) is 1 where frames count, uv (B, T) is 1 where they are voiced. Raises ValueError for NaN.
    """
    uv = uv.unsqueeze(1)
    voiced = uv.sum(-1, keepdim=True)
    mean = (lf0 * uv).sum(-1, keepdim=True) / torch.where(voiced == 0, 9999.0, voiced)
    if torch.is_tensor(factor):
        factor = factor.view(-1, 1, 1)
    out = (lf0 - mean) * factor * mask
    if out.isnan().any():
        raise ValueError("The pitch curve holds NaN: use 0 Hz where there is no pitch.")
    return out
