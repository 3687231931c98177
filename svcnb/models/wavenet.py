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

    def forward(self, x, condition, step) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B, C, T), condition (B, H, T), step (B, C) to the next x and the part for the output, each (B, C, T)."""
        y = self.dilated_conv(x + self.diffusion_projection(step).unsqueeze(-1))
        gate, signal = (y + self.conditioner_projection(condition)).chunk(2, dim=1)
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

    def forward(self, x: torch.Tensor, step: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        embedded = step_embedding(step, self.input_projection.out_channels)
        step = self.mlp(embedded.to(self.mlp[0].weight.dtype))
        x = self.input_projection(x).relu()
        found = 0
        for layer in self.residual_layers:
            x, skip = layer(x, condition, step)
            found = found + skip
        return self.output_projection(self.skip_projection(found / math.sqrt(len(self.residual_layers))).relu())
