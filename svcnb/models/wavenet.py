"""The denoiser: what noise is in a mel, told how much there is and what is being sung.

A WaveNet (van den Oord et al. 2016) without causality and, as in the original, without growing dilations: every layer
sees one frame to each side. Attribute names are those of the original's files.

Notebook: 04_train_diffusion
"""

import math

import torch
from torch import nn


def step_embedding(step: torch.Tensor, width: int) -> torch.Tensor:
    """Steps (B,), whole or between two, as sines and then cosines of falling frequencies: (B, width)."""
    half = width // 2
    frequencies = torch.exp(torch.arange(half, device=step.device) * (-math.log(10000) / (half - 1)))
    angles = step[:, None].float() * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class ResidualLayer(nn.Module):
    """A gated convolution that adds to its input and says what it found."""

    def __init__(self, hidden: int, channels: int):
        super().__init__()
        self.dilated_conv = nn.Conv1d(channels, 2 * channels, 3, padding=1)
        self.diffusion_projection = nn.Linear(channels, channels)
        self.conditioner_projection = nn.Conv1d(hidden, 2 * channels, 1)
        self.output_projection = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x, told, step) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B, C, T), what it is told (B, 2C, T), step (B, C) to the next x and the part for the output (B, C, T)."""
        y = self.dilated_conv(x + self.diffusion_projection(step).unsqueeze(-1))
        gate, signal = (y + told).chunk(2, dim=1)
        residual, skip = self.output_projection(torch.sigmoid(gate) * torch.tanh(signal)).chunk(2, dim=1)
        return (x + residual) / math.sqrt(2), skip


class WaveNet(nn.Module):
    """Noisy mel (B, M, T), step (B,) and condition (B, H, T) to the noise in it (B, M, T)."""

    def __init__(self, mels: int = 128, layers: int = 20, channels: int = 512, hidden: int = 256):
        super().__init__()
        self.input_projection = nn.Conv1d(mels, channels, 1)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.Mish(), nn.Linear(4 * channels, channels))
        self.residual_layers = nn.ModuleList([ResidualLayer(hidden, channels) for _ in range(layers)])
        self.skip_projection = nn.Conv1d(channels, channels, 1)
        self.output_projection = nn.Conv1d(channels, mels, 1)
        nn.init.kaiming_normal_(self.input_projection.weight)
        nn.init.kaiming_normal_(self.skip_projection.weight)
        nn.init.zeros_(self.output_projection.weight)

    def told(self, condition: torch.Tensor) -> list[torch.Tensor]:
        """What each layer takes from a condition (B, H, T): the same for every call, so that a song needs it once."""
        return [layer.conditioner_projection(condition) for layer in self.residual_layers]

    def forward(self, x: torch.Tensor, step: torch.Tensor, condition: torch.Tensor | list) -> torch.Tensor:
        """condition (B, H, T), or what `told` made of it."""
        if isinstance(condition, torch.Tensor):  # one after the other, for a training keeps none of them
            told = (layer.conditioner_projection(condition) for layer in self.residual_layers)
        else:
            told = condition
        embedded = step_embedding(step, self.input_projection.out_channels)
        step = self.mlp(embedded.to(self.mlp[0].weight.dtype))
        x = self.input_projection(x).relu()
        found = 0
        for layer, part in zip(self.residual_layers, told, strict=True):
            x, skip = layer(x, part, step)
            found = found + skip
        return self.output_projection(self.skip_projection(found / math.sqrt(len(self.residual_layers))).relu())


OPEN = 2.5  # of a layer's offset: keeps inputs of about ±1 on the straight part of what follows


@torch.no_grad()
def clear_start(net: WaveNet) -> None:
    """Start a small denoiser so that it says at once what is mostly true: all of the input is noise.

    From the usual start a short training never gets the noise whole through fewer channels than two for each band, and
    where there is little but noise each miss counts a hundredfold. Here the first layer hands the input on, the others
    say little yet, and the last two turn it back.
    """
    wide, (first, *others) = net.input_projection.out_channels, net.residual_layers
    same = torch.eye(wide).unsqueeze(-1)
    for layer in (net.input_projection, net.skip_projection):
        nn.init.orthogonal_(layer.weight.squeeze(-1))
        layer.bias.fill_(OPEN)
    for part in (first.conditioner_projection, first.diffusion_projection, first.dilated_conv):
        part.weight.mul_(0.1)
        part.bias.zero_()
    gentle = 0.3  # so that tanh is straight, too; its gate is half open
    first.dilated_conv.weight[wide:] = nn.functional.pad(gentle * same, (1, 1))
    first.dilated_conv.bias[wide:] = -gentle * OPEN
    first.output_projection.weight[wide:] = 2 / gentle * math.sqrt(1 + len(others)) * same
    first.output_projection.bias[wide:] = 0
    for layer in others:
        layer.output_projection.weight[wide:] *= 0.1
        layer.output_projection.bias[wide:] = 0
    back = (net.skip_projection.weight.squeeze(-1) @ net.input_projection.weight.squeeze(-1)).T
    net.output_projection.weight.copy_(back.unsqueeze(-1))
    net.output_projection.bias.copy_(-OPEN * back.sum(dim=1))
