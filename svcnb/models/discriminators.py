"""The critics: networks that learn to tell sung from synthesised.

One hears the waveform, five hear it folded into rows of a few samples (HiFi-GAN, Kong et al. 2020).

Notebook: 03_train_sovits
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

from svcnb.models.norms import Conv1d, Conv2d

PERIODS = 2, 3, 5, 7, 11


class Verdicts(NamedTuple):
    """Per critic: a score per position (B, N), and the activations of its layers."""

    scores: list[torch.Tensor]
    maps: list[list[torch.Tensor]]


def _conv(kind: int, spectral: bool):
    """Class of 1-d or 2-d convolutions, weight-normed or spectral-normed."""
    if spectral:
        plain = nn.Conv1d if kind == 1 else nn.Conv2d
        return lambda *args, **kwargs: spectral_norm(plain(*args, **kwargs))
    return Conv1d if kind == 1 else Conv2d


class Critic(nn.Module):
    """Strided convolutions with leaky ReLUs; returns the score and the activations."""

    convs: nn.ModuleList
    conv_post: nn.Module

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        maps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            maps.append(x)
        maps.append(self.conv_post(x))
        return maps[-1].flatten(1), maps


class ScaleCritic(Critic):
    """Hears the waveform (B, 1, N) as it is."""

    def __init__(self, spectral: bool, width: float):
        super().__init__()
        conv = _conv(1, spectral)
        c16, c64, c256, c1024 = (max(1, int(width * c)) for c in (16, 64, 256, 1024))
        self.convs = nn.ModuleList(
            [
                conv(1, c16, 15, 1, padding=7),
                conv(c16, c64, 41, 4, groups=min(4, c16), padding=20),
                conv(c64, c256, 41, 4, groups=min(16, c64), padding=20),
                conv(c256, c1024, 41, 4, groups=min(64, c256), padding=20),
                conv(c1024, c1024, 41, 4, groups=min(256, c1024), padding=20),
                conv(c1024, c1024, 5, 1, padding=2),
            ]
        )
        self.conv_post = conv(c1024, 1, 3, 1, padding=1)


class PeriodCritic(Critic):
    """Hears the waveform folded into rows of `period` samples."""

    def __init__(self, period: int, spectral: bool, width: float):
        super().__init__()
        self.period = period
        conv = partial(_conv(2, spectral), kernel_size=(5, 1), padding=(2, 0))
        widths = [1, *(max(1, int(width * c)) for c in (32, 128, 512, 1024, 1024))]
        strides = [(3, 1)] * 4 + [(1, 1)]
        self.convs = nn.ModuleList(
            [conv(a, b, stride=s) for a, b, s in zip(widths[:-1], widths[1:], strides, strict=True)]
        )
        self.conv_post = conv(widths[-1], 1, kernel_size=(3, 1), stride=1, padding=(1, 0))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        x = F.pad(x, (0, -x.shape[-1] % self.period), mode="reflect")
        return super().forward(x.unflatten(-1, (-1, self.period)))


class Discriminator(nn.Module):
    """One scale critic and five period critics; `width` scales their channels, 1 gives 46.7 M parameters."""

    def __init__(self, use_spectral_norm: bool = False, width: float = 1.0):
        super().__init__()
        self.spectral = use_spectral_norm
        self.discriminators = nn.ModuleList(
            [ScaleCritic(use_spectral_norm, width)] + [PeriodCritic(p, use_spectral_norm, width) for p in PERIODS]
        )

    def judge(self, audio: torch.Tensor) -> Verdicts:
        """audio (B, 1, N)."""
        return Verdicts(*map(list, zip(*(critic(audio) for critic in self.discriminators), strict=True)))

    def forward(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[Verdicts, Verdicts]:
        """Judge two waveforms (B, 1, N) in one pass, where that gives the same as two."""
        if self.spectral:  # each pass moves the estimate of the norm
            return self.judge(real), self.judge(fake)
        both = self.judge(torch.cat([real, fake]))
        half = lambda i: Verdicts(
            [score.chunk(2)[i] for score in both.scores], [[m.chunk(2)[i] for m in maps] for maps in both.maps]
        )
        return half(0), half(1)
