"""DPHuBERT: a HuBERT or WavLM from which training removed what was needed least (`dphubert`).

Every layer has its own number of channels and heads, and may lack attention or feed-forward altogether, so the layers
are ours; what comes before them is transformers'.

Notebook: 02_features
"""

import math
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import HubertConfig
from transformers.models.hubert.modeling_hubert import (
    HubertFeatureEncoder,
    HubertFeatureProjection,
    HubertPositionalConvEmbedding,
)

from svcnb.encoders.base import EncoderError, build, tensors
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.unpickle import read_torch

KEYS = [  # DPHuBERT's names → ours
    (r"^feature_extractor\.dummy_weight$", "feature_extractor.conv_layers.{last}.weight"),
    (r"^encoder\.feature_projection\.", "feature_projection."),
    (r"^encoder\.transformer\.", ""),
    (r"conv\.weight_g$", "conv.parametrizations.weight.original0"),
    (r"conv\.weight_v$", "conv.parametrizations.weight.original1"),
]
TRAINING_ONLY = re.compile(r"(^|\.)hard_concrete\w*\.log_alpha$")


class DPHuBERT(Wav2Vec2):
    """A pruned network."""

    def transform(self, features: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The part after the convolutions: (B, T, C) to (B, T, D); mask (B, T) is False where there is only padding."""
        return self.network(features, mask)


def load(path: str | Path, device: str = "auto") -> DPHuBERT:
    """Read a DPHuBERT checkpoint of its authors. Raises EncoderError, CheckpointError."""
    checkpoint = read_torch(path)
    state = tensors(checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None, path, "DPHuBERT")
    try:
        settings = checkpoint["config"]
        last = len(settings["extractor_conv_layer_config"])
        weights = {_rename(key, last): value for key, value in state.items() if not TRAINING_ONLY.search(key)}
        network = build(lambda: Pruned(settings), weights, path)
        return DPHuBERT(network, device, normalize=bool(settings["normalize_waveform"]))
    except (KeyError, TypeError, IndexError) as error:
        raise EncoderError(f"{path} is not a DPHuBERT checkpoint: its `config` lacks or muddles {error}.") from None


class Scale(nn.Module):
    """A factor for each channel of (B, C, T)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight[:, None]


class Attention(nn.Module):
    """Attention with the heads that are left over."""

    def __init__(self, width: int, heads: int, head_dim: int):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, heads * head_dim)
        self.k_proj = nn.Linear(width, heads * head_dim)
        self.v_proj = nn.Linear(width, heads * head_dim)
        self.out_proj = nn.Linear(heads * head_dim, width)

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None, distance: torch.Tensor | None) -> torch.Tensor:
        """x (B, T, width); bias (B, 1, 1, T) of padding; distance (total, T, T)."""
        projections = self.q_proj, self.k_proj, self.v_proj
        q, k, v = (part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in projections)
        bias = self.bias(x, bias, distance)
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2))

    def bias(self, x: torch.Tensor, bias: torch.Tensor | None, distance: torch.Tensor | None) -> torch.Tensor | None:
        """What is added to the attention's logits."""
        return bias


class DistanceAttention(Attention):
    """The attention of a pruned WavLM: `kept` of a former `total` of heads, biased by how far apart two frames are."""

    def __init__(self, width: int, kept: list[int], total: int):
        super().__init__(width, len(kept), width // total)
        self.kept, self.total = kept, total
        self.gru_rel_pos_linear = nn.Linear(width // total, 8)
        self.gru_rel_pos_const = nn.Parameter(torch.ones(1, total, 1, 1))

    def bias(self, x: torch.Tensor, bias: torch.Tensor | None, distance: torch.Tensor | None) -> torch.Tensor | None:
        """The distances' bias, times how much each head and frame cares for it, which all former heads' input tells."""
        if distance is None:
            return bias
        heads = x.unflatten(2, (self.total, -1)).transpose(1, 2)
        a, b = self.gru_rel_pos_linear(heads).unflatten(3, (2, 4)).sum(4).sigmoid().chunk(2, 3)
        gate = a * (b * self.gru_rel_pos_const - 1) + 2
        gated = gate[:, self.kept] * distance[self.kept]
        return gated if bias is None else gated + bias


class FeedForward(nn.Module):
    """Two linear layers."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.intermediate_dense = nn.Linear(width, inner)
        self.output_dense = nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output_dense(F.gelu(self.intermediate_dense(x)))


class Layer(nn.Module):
    """A transformer layer that may lack attention or feed-forward; norms come before or after them."""

    def __init__(self, width: int, attention: Attention | None, inner: int | None, norm_first: bool):
        super().__init__()
        self.norm_first = norm_first
        self.attention = attention
        self.layer_norm = nn.LayerNorm(width)
        self.feed_forward = None if inner is None else FeedForward(width, inner)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None, distance: torch.Tensor | None) -> torch.Tensor:
        if self.attention is not None:
            x = x + self.attention(self.layer_norm(x) if self.norm_first else x, bias, distance)
        if not self.norm_first:
            x = self.layer_norm(x)
        if self.feed_forward is not None:
            x = x + self.feed_forward(self.final_layer_norm(x) if self.norm_first else x)
        return x if self.norm_first else self.final_layer_norm(x)


class Pruned(nn.Module):
    """The whole network, built as the `config` in its file says."""

    def __init__(self, settings: dict):
        super().__init__()
        self.config = config = _config(settings)
        self.norm_first = settings["encoder_layer_norm_first"]
        self.feature_extractor = HubertFeatureEncoder(config)
        self.feature_extractor.conv_layers.append(Scale(config.conv_dim[-1]))
        self.feature_projection = HubertFeatureProjection(config)
        self.pos_conv_embed = HubertPositionalConvEmbedding(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        self.layers = nn.ModuleList(_layer(settings, i) for i in range(config.num_hidden_layers))
        self.max_distance = settings.get("encoder_max_distance")
        if "encoder_remaining_heads" in settings and self.layers[0].attention is not None:
            total = settings["encoder_total_num_heads"][0]
            self.layers[0].attention.rel_attn_embed = nn.Embedding(settings["encoder_num_buckets"], total)

    def forward(self, features: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Features (B, T, C) to units (B, T, D); mask (B, T) is False where there is only padding."""
        x = self.feature_projection(features)
        bias = None
        if mask is not None:
            x = x * mask[..., None]
            bias = torch.zeros(mask.shape, device=x.device).masked_fill(~mask, -torch.inf)[:, None, None]
        x = x + self.pos_conv_embed(x)
        x = x if self.norm_first else self.layer_norm(x)
        distance = self._distance(x.shape[1])
        for layer in self.layers:
            x = layer(x, bias, distance)
        return self.layer_norm(x) if self.norm_first else x

    def _distance(self, frames: int) -> torch.Tensor | None:
        """What each former head adds for the distance of two frames, (total, T, T)."""
        table = getattr(self.layers[0].attention, "rel_attn_embed", None)
        if table is None:
            return None
        t = torch.arange(frames, device=table.weight.device)
        return table(bucket(t - t[:, None], table.num_embeddings, self.max_distance)).permute(2, 0, 1)


def bucket(distance: torch.Tensor, buckets: int, max_distance: int) -> torch.Tensor:
    """The bucket of a distance in frames: half of them for each sign, near ones a frame wide, far ones ever wider."""
    half = buckets // 2
    exact = half // 2
    far = distance.abs().clamp(min=exact).float()
    far = exact + (torch.log(far / exact) / math.log(max_distance / exact) * (half - exact)).long()
    near = distance.abs()
    return half * (distance > 0) + torch.where(near < exact, near, far.clamp(max=half - 1))


def _config(settings: dict) -> HubertConfig:
    channels, kernels, strides = zip(*settings["extractor_conv_layer_config"], strict=True)
    return HubertConfig(
        hidden_size=settings["encoder_embed_dim"],
        num_hidden_layers=settings["encoder_num_layers"],
        conv_dim=channels,
        conv_kernel=kernels,
        conv_stride=strides,
        conv_bias=settings["extractor_conv_bias"],
        feat_extract_norm="layer" if settings["extractor_mode"] == "layer_norm" else "group",
        num_conv_pos_embeddings=settings["encoder_pos_conv_kernel"],
        num_conv_pos_embedding_groups=settings["encoder_pos_conv_groups"],
        feat_proj_dropout=0.0,
    )


def _layer(settings: dict, i: int) -> Layer:
    width, attention = settings["encoder_embed_dim"], None
    if settings["encoder_use_attention"][i]:
        if "encoder_remaining_heads" in settings:
            total = settings["encoder_total_num_heads"][i]
            attention = DistanceAttention(width, settings["encoder_remaining_heads"][i], total)
        else:
            attention = Attention(width, settings["encoder_num_heads"][i], settings["encoder_head_dim"])
    inner = settings["encoder_ff_interm_features"][i] if settings["encoder_use_feed_forward"][i] else None
    return Layer(width, attention, inner, settings["encoder_layer_norm_first"])


def _rename(key: str, last: int) -> str:
    for pattern, name in KEYS:
        key = re.sub(pattern, name.replace("{last}", str(last)), key)
    return key
