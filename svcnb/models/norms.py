"""Weight-normalised convolutions, and layer norm over channels.

The original's checkpoints hold old-style weight norm: `weight_g` and `weight_v` after `bias`. These layers keep those
names, compute their weight when it is asked for, and can fold it into a plain weight for inference.

A convolution over time takes (B, C, T) or, as a picture one row high, (B, C, 1, T): with the channels last in memory,
which only pictures may have, a CPU convolves a fifth faster.
"""

import torch
from torch import nn
from torch.nn import functional as F


class WeightNorm:
    """Mixed into a convolution: weight = weight_g · weight_v / ‖weight_v‖, normed over all dimensions but the first."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        weight = self._parameters.pop("weight")
        norm = weight.detach().flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))
        self.weight_g = nn.Parameter(norm)
        self.weight_v = weight

    @property
    def weight(self) -> torch.Tensor:
        plain = self._parameters.get("weight")  # while being built, and once folded
        return torch._weight_norm(self.weight_v, self.weight_g, 0) if plain is None else plain

    def fold(self) -> None:
        """Replace weight_g and weight_v by the weight they make."""
        if "weight_v" in self._parameters:
            weight = self.weight.detach()
            del self.weight_g, self.weight_v
            self._parameters["weight"] = nn.Parameter(weight)


class Conv1d(WeightNorm, nn.Conv1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() == 3:
            return super().forward(x)
        stride, padding, dilation = (1, *self.stride), (0, *self.padding), (1, *self.dilation)
        return F.conv2d(x, self.weight.unsqueeze(2), self.bias, stride, padding, dilation, self.groups)


class Conv2d(WeightNorm, nn.Conv2d):
    pass


class ConvTranspose1d(WeightNorm, nn.ConvTranspose1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() == 3:
            return super().forward(x)
        return F.conv_transpose2d(x, self.weight.unsqueeze(2), self.bias, (1, *self.stride), (0, *self.padding))


def fold_weight_norm(model: nn.Module) -> nn.Module:
    """Fold every weight norm inside a model, for faster inference. Changes the model, and its state dict's keys."""
    for module in model.modules():
        if isinstance(module, WeightNorm):
            module.fold()
    return model


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, T)."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(x.mT, self.gamma.shape, self.gamma, self.beta, 1e-5).mT
