"""Transformers of the So-VITS network: self-attention over frames, and the two stacks built from it.

`Encoder` looks both ways and knows how far apart two frames are, up to four frames (Shaw et al. 2018); it reads the
units. `CausalStack` looks back only; it predicts pitch, and can sit inside a flow. Both are post-norm.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from svcnb.models.norms import ChannelNorm, Conv1d


def gate(x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """WaveNet's gated activation of x + condition: (B, 2H, T) to (B, H, T)."""
    a, b = (x + condition).chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class SelfAttention(nn.Module):
    """Multi-head attention of (B, C, T) to itself.

    With a `window`, scores and values get a learnt vector per distance of at most `window` frames, and none beyond.
    Without one it is causal.
    """

    def __init__(self, channels: int, n_heads: int, p_dropout: float = 0.0, window: int | None = None):
        super().__init__()
        self.n_heads, self.window, self.p_dropout = n_heads, window, p_dropout
        if window:
            width = channels // n_heads
            self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * window + 1, width) * width**-0.5)
            self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * window + 1, width) * width**-0.5)
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)
        if not window:  # proximal start: each frame attends to those like itself
            self.conv_k.load_state_dict(self.conv_q.state_dict())

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """x (B, C, T); mask (B, 1, T), 1 where frames count; returns (B, C, T)."""
        q, k, v = (
            conv(x).unflatten(1, (self.n_heads, -1)).transpose(2, 3)  # (B, heads, T, width)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )
        p_dropout = self.p_dropout if self.training else 0.0
        if self.window:
            y = self._relative(q, k, v, mask, p_dropout)
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=p_dropout)
        return self.conv_o(y.transpose(2, 3).flatten(1, 2))

    def _relative(self, q, k, v, mask, p_dropout):
        # The values per distance need the probabilities, which scaled_dot_product_attention keeps to itself.
        frames, window = q.shape[2], self.window
        q = q / math.sqrt(q.shape[-1])
        relative, scores = q @ self.emb_rel_k.mT, q @ k.mT
        # band[i, r] is the column of frame i + r - window in a row padded by `window` on both sides
        band = torch.arange(frames, device=q.device)[:, None] + torch.arange(2 * window + 1, device=q.device)
        band = band.expand_as(relative)  # sizes are taken from tensors, so that ONNX keeps them open
        near = torch.zeros_like(F.pad(scores, (window, window))).scatter(-1, band, relative)
        scores = scores + near[..., window : window + frames]
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(2) * mask.unsqueeze(3) == 0, -1e4)
        p = F.dropout(scores.softmax(-1), p_dropout)
        return p @ v + F.pad(p, (window, window)).gather(-1, band) @ self.emb_rel_v


class FeedForward(nn.Module):
    """Two convolutions over time with a ReLU between them; the causal one looks back only."""

    def __init__(self, channels: int, hidden: int, kernel_size: int, p_dropout: float = 0.0, causal: bool = False):
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, hidden, kernel_size)
        self.conv_2 = nn.Conv1d(hidden, channels, kernel_size)
        self.drop = nn.Dropout(p_dropout)
        self.pad = (kernel_size - 1, 0) if causal else ((kernel_size - 1) // 2, kernel_size // 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.drop(torch.relu(self.conv_1(F.pad(x * mask, self.pad))))
        return self.conv_2(F.pad(x * mask, self.pad)) * mask


class Encoder(nn.Module):
    """Transformer that sees all frames: (B, C, T) and mask (B, 1, T) to (B, C, T)."""

    def __init__(self, channels, filter_channels, n_heads, n_layers, kernel_size, p_dropout, window: int = 4):
        super().__init__()
        layers = range(n_layers)
        self.drop = nn.Dropout(p_dropout)
        self.attn_layers = nn.ModuleList([SelfAttention(channels, n_heads, p_dropout, window) for _ in layers])
        self.norm_layers_1 = nn.ModuleList([ChannelNorm(channels) for _ in layers])
        self.ffn_layers = nn.ModuleList(
            [FeedForward(channels, filter_channels, kernel_size, p_dropout) for _ in layers]
        )
        self.norm_layers_2 = nn.ModuleList([ChannelNorm(channels) for _ in layers])

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = x * mask
        for attn, norm_1, ffn, norm_2 in zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        ):
            x = norm_1(x + self.drop(attn(x, mask)))
            x = norm_2(x + self.drop(ffn(x, mask)))
        return x * mask


class CausalStack(nn.Module):
    """Transformer that looks back only; with `gin_channels` each layer is gated by a condition (the speaker)."""

    def __init__(self, channels, filter_channels, n_heads, n_layers, kernel_size, p_dropout, gin_channels: int = 0):
        super().__init__()
        self.channels, layers = channels, range(n_layers)
        if gin_channels:
            self.cond_pre = nn.Conv1d(channels, 2 * channels, 1)
            self.cond_layer = Conv1d(gin_channels, 2 * channels * n_layers, 1)
        self.drop = nn.Dropout(p_dropout)
        self.self_attn_layers = nn.ModuleList([SelfAttention(channels, n_heads, p_dropout) for _ in layers])
        self.norm_layers_0 = nn.ModuleList([ChannelNorm(channels) for _ in layers])
        self.ffn_layers = nn.ModuleList(
            [FeedForward(channels, filter_channels, kernel_size, p_dropout, causal=True) for _ in layers]
        )
        self.norm_layers_1 = nn.ModuleList([ChannelNorm(channels) for _ in layers])

    def forward(self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor | None = None) -> torch.Tensor:
        """x (B, C, T), mask (B, 1, T), condition g (B, G, 1 or T) to (B, C, T)."""
        x = x * mask
        conditions = None if g is None else self.cond_layer(g).split(2 * self.channels, dim=1)
        for i, (attn, norm_0, ffn, norm_1) in enumerate(
            zip(self.self_attn_layers, self.norm_layers_0, self.ffn_layers, self.norm_layers_1, strict=True)
        ):
            if conditions:
                x = gate(self.cond_pre(x), conditions[i])
            x = norm_0(x + self.drop(attn(x)))
            x = norm_1(x + self.drop(ffn(x, mask)))
        return x * mask
