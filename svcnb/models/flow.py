"""The normalising flow between what was sung (posterior) and what the units say (prior), and the network inside it.

Each coupling leaves half of the channels as they are and shifts the other half by what a network makes of the first,
so that running it backwards undoes it exactly (Kim et al. 2021, VITS).

Notebook: 03_train_sovits
"""

import torch
from torch import nn

from svcnb.models.attention import CausalStack, gate
from svcnb.models.norms import Conv1d


class DepthwiseConv1d(nn.Module):
    """A convolution in two cheap steps: over time in each channel, then over channels at each instant."""

    def __init__(self, channels: int, out_channels: int, kernel_size: int, dilation: int, padding: int):
        super().__init__()
        self.depth_conv = Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding, groups=channels)
        self.point_conv = Conv1d(channels, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.point_conv(self.depth_conv(x))


class WN(nn.Module):
    """WaveNet-like stack of gated convolutions, conditioned on g: (B, H, T) to (B, H, T)."""

    def __init__(self, hidden, kernel_size, dilation_rate, n_layers, gin_channels, depthwise: bool = False):
        super().__init__()
        conv = DepthwiseConv1d if depthwise else Conv1d
        self.hidden = hidden
        self.in_layers, self.res_skip_layers = nn.ModuleList(), nn.ModuleList()
        self.cond_layer = Conv1d(gin_channels, 2 * hidden * n_layers, 1)
        for i in range(n_layers):
            dilation = dilation_rate**i
            padding = (kernel_size - 1) * dilation // 2
            self.in_layers.append(conv(hidden, 2 * hidden, kernel_size, dilation=dilation, padding=padding))
            self.res_skip_layers.append(Conv1d(hidden, 2 * hidden if i < n_layers - 1 else hidden, 1))

    def forward(self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        conditions = self.cond_layer(g).split(2 * self.hidden, dim=1)
        out = 0
        for in_layer, res_skip, condition in zip(self.in_layers, self.res_skip_layers, conditions, strict=True):
            y = res_skip(gate(in_layer(x), condition))
            out = out + y[:, -self.hidden :]
            if y.shape[1] > self.hidden:
                x = (x + y[:, : self.hidden]) * mask
        return out * mask


class Coupling(nn.Module):
    """Shift one half of the channels by a function of the other half."""

    def __init__(self, channels: int, hidden: int, network: nn.Module):
        super().__init__()
        self.pre = nn.Conv1d(channels // 2, hidden, 1)
        self.enc = network
        self.post = nn.Conv1d(hidden, channels // 2, 1)
        nn.init.zeros_(self.post.weight)  # an untrained flow changes nothing
        nn.init.zeros_(self.post.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor, reverse: bool = False) -> torch.Tensor:
        x0, x1 = x.chunk(2, dim=1)
        shift = self.post(self.enc(self.pre(x0) * mask, mask, g)) * mask
        x1 = (x1 - shift) * mask if reverse else shift + x1 * mask
        return torch.cat([x0, x1], dim=1)


class Flip(nn.Module):
    """Reverse the order of channels, so that couplings take turns."""

    def forward(self, x: torch.Tensor, *_, **__) -> torch.Tensor:
        return x.flip(1)


class Flow(nn.Module):
    """Couplings and flips. `network` makes the inside of a coupling; if `shared`, one serves them all."""

    def __init__(self, channels: int, hidden: int, n_couplings: int, network, shared: bool):
        super().__init__()
        wn = network() if shared else None
        self.flows = nn.ModuleList()
        for _ in range(n_couplings):
            self.flows.extend([Coupling(channels, hidden, wn or network()), Flip()])
        self.wn = wn

    def forward(self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor, reverse: bool = False) -> torch.Tensor:
        """x (B, C, T), mask (B, 1, T), speaker g (B, G, 1 or T) to (B, C, T); `reverse`: prior to posterior."""
        for flow in reversed(self.flows) if reverse else self.flows:
            x = flow(x, mask, g, reverse=reverse)
        return x


def residual_flow(model) -> Flow:
    """The usual flow: four couplings, each with a WN of `n_flow_layer` layers."""

    def network():
        return WN(model.hidden_channels, 5, 1, model.n_flow_layer, model.gin_channels, model.use_depthwise_conv)

    return Flow(model.inter_channels, model.hidden_channels, 4, network, model.flow_share_parameter)


def transformer_flow(model) -> Flow:
    """`n_flow_layer` couplings, each with a causal transformer of `n_layers_trans_flow` layers."""

    def network():
        return CausalStack(
            model.hidden_channels, model.filter_channels, model.n_heads, model.n_layers_trans_flow, 5,
            model.p_dropout, model.gin_channels,
        )  # fmt: skip

    return Flow(model.inter_channels, model.hidden_channels, model.n_flow_layer, network, model.flow_share_parameter)
