"""Layers that compute the same faster on a CPU: the channels of a frame lie side by side in memory.

Notebook: 02_features
"""

import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Linear):
    """A convolution of one frame: torch gives those to oneDNN, but matrices to MKL, which is half as fast on AMD."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 3 or torch.is_autocast_enabled("cpu") or _elsewhere(x):
            return super().forward(x)
        frames = x.mT[:, :, None]  # (B, C, 1, T)
        y = F.conv2d(frames, self.weight[:, :, None, None], self.bias, dilation=2)  # undilated, it would be MKL again
        return y[:, :, 0].mT


class Conv1d(nn.Conv1d):
    """A convolution over an image one pixel high, for which there is a faster way; (B, C, T), channels side by side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if _elsewhere(x):
            return super().forward(x)
        stride, padding, dilation = (1, *self.stride), (0, *self.padding), 2 if self.kernel_size == (1,) else 1
        y = F.conv2d(x[:, :, None], self.weight[:, :, None], self.bias, stride, padding, dilation, self.groups)
        return y[:, :, 0]


def quicken(network: nn.Module) -> nn.Module:
    """The same network, its linear layers and those convolutions over time that are not dilated made quick."""
    for part in network.modules():
        if type(part) is nn.Linear:
            part.__class__ = Linear
        elif type(part) is nn.Conv1d and part.dilation == (1,) and _pads_with_zeros(part):
            part.__class__ = Conv1d
    return network


def _pads_with_zeros(part: nn.Conv1d) -> bool:
    return part.padding_mode == "zeros" and not isinstance(part.padding, str)


def _elsewhere(x: torch.Tensor) -> bool:
    """Whether oneDNN is not what computes: but a GPU, what runs an exported graph, or a torch built without it."""
    return not x.is_cpu or torch.jit.is_tracing() or not torch.backends.mkldnn.is_available()
