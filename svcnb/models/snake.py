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
        """(B, C, 1, T)"""
        alpha, beta = self.alpha.exp()[:, None, None], self.beta.exp()[:, None, None]
        return torch.addcmul(x, torch.sin(x * alpha).square(), 1 / (beta + 1e-9))


def _filtered(x: torch.Tensor, taps: torch.Tensor, channels: int) -> torch.Tensor:
    """Every channel of (B, C, 1, T) by the same taps (6,): (B, C, 1, T - 5)."""
    return F.conv2d(x, taps.expand(channels, 1, 1, -1), groups=channels)


class Upsample2(nn.Module):
    """Twice the samples, as two halves: those at the places of x (B, C, 1, T), and those half a sample later."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels  # from here, not from x: an ONNX graph must know it
        self.register_buffer("filter", lowpass().view(1, 1, -1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        taps = 2 * self.filter.flatten().flip(0)  # half of them meet the zeros that upsampling would put in
        x = F.pad(x, (3, 3, 0, 0), mode="replicate")
        return _filtered(x[..., :-1], taps[0::2], self.channels), _filtered(x[..., 1:], taps[1::2], self.channels)


class LowPass(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("filter", lowpass().view(1, 1, -1))


class Downsample2(nn.Module):
    """The way back: of the two halves, each (B, C, 1, T), one signal (B, C, 1, T)."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.lowpass = LowPass()

    def forward(self, on: torch.Tensor, between: torch.Tensor) -> torch.Tensor:
        taps = self.lowpass.filter.flatten()
        first, last = on[..., :1], between[..., -1:]  # stand for what is before the first sample, and after the last
        on = torch.cat([first, first, on, last, last, last], -1)
        between = torch.cat([first, first, first, between, last, last], -1)
        return _filtered(on, taps[1::2], self.channels) + _filtered(between, taps[0::2], self.channels)


class SnakeAlias(nn.Module):
    """Snake at twice the sample rate, and back: (B, C, T) or (B, C, 1, T), to the same."""

    reach = TAPS // 2  # samples to each side that an output depends on
    fused = False  # in one pass over memory: on a CPU, without gradients

    def __init__(self, channels: int):
        super().__init__()
        self.act = Snake(channels)
        self.upsample = Upsample2(channels)
        self.downsample = Downsample2(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            return self._fused(x)
        on, between = self.upsample(x if x.dim() == 4 else x.unsqueeze(2))
        y = self.downsample(self.act(on), self.act(between))
        return y if x.dim() == 4 else y.squeeze(2)

    def _fused(self, x: torch.Tensor) -> torch.Tensor:
        from svcnb.models.fused import snake_alias  # is compiled at the first call

        up, down = self.upsample.filter.flatten(), self.downsample.lowpass.filter.flatten()
        return snake_alias(x, self.act.alpha.exp(), self.act.beta.exp() + 1e-9, up, down)
