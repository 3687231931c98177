"""Snake: a periodic activation, made free of aliases by running at twice the rate (BigVGAN, Lee et al. 2023)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

TAPS = 12  # of the low-pass filter, in both directions


def lowpass(taps: int = TAPS, cutoff: float = 0.25, half_width: float = 0.3) -> torch.Tensor:
    """Kaiser-windowed sinc of an even number of taps, summing to 1; cut-off and half width in cycles per sample."""
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)
    window = torch.kaiser_window(taps, periodic=False, beta=beta)
    time = torch.arange(-(taps // 2), taps // 2) + 0.5
    sinc = 2 * cutoff * window * torch.sinc(2 * cutoff * time)
    return sinc / sinc.sum()


class Snake(nn.Module):
    """x + sin²(αx)/β with a learnt α and β per channel, kept as logarithms."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        alpha, beta = self.alpha.exp()[:, None], self.beta.exp()[:, None]
        return x + torch.sin(x * alpha) ** 2 / (beta + 1e-9)


class Upsample2(nn.Module):
    """(B, C, T) to (B, C, 2T)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("filter", lowpass().view(1, 1, -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pad = TAPS // 2 - 1
        y = F.pad(x, (pad, pad), mode="replicate").flatten(0, 1).unsqueeze(1)
        y = 2 * F.conv_transpose1d(y, self.filter, stride=2)
        return y[..., 3 * pad : -3 * pad].view(*x.shape[:2], -1)


class LowPass(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("filter", lowpass().view(1, 1, -1))


class Downsample2(nn.Module):
    """(B, C, 2T) to (B, C, T)."""

    def __init__(self):
        super().__init__()
        self.lowpass = LowPass()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.pad(x, (TAPS // 2 - 1, TAPS // 2), mode="replicate").flatten(0, 1).unsqueeze(1)
        return F.conv1d(y, self.lowpass.filter, stride=2).view(*x.shape[:2], -1)


class SnakeAlias(nn.Module):
    """Snake at twice the sample rate, and back: (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int):
        super().__init__()
        self.act = Snake(channels)
        self.upsample = Upsample2()
        self.downsample = Downsample2()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.downsample(self.act(self.upsample(x)))
