"""HuBERT-Soft: units trained to hold what several readings of a sound have in common (`hubertsoft`).

Notebook: 02_features
"""

import re
from pathlib import Path

import torch
from torch import nn
from transformers import HubertModel

from svcnb.encoders.base import build, tensors
from svcnb.encoders.hubert import config_of
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.unpickle import read_torch

KEYS = [  # HuBERT-Soft's names → transformers'
    (r"^feature_extractor\.conv(\d+)\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"^feature_extractor\.norm0\.", "feature_extractor.conv_layers.0.layer_norm."),
    (r"^feature_projection\.norm\.", "feature_projection.layer_norm."),
    (r"^positional_embedding\.conv\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"^positional_embedding\.conv\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"^positional_embedding\.", "encoder.pos_conv_embed."),
    (r"^norm\.", "encoder.layer_norm."),
    (r"\.self_attn\.", ".attention."),
    (r"\.norm1\.", ".layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
    (r"\.linear1\.", ".feed_forward.intermediate_dense."),
    (r"\.linear2\.", ".feed_forward.output_dense."),
]
TRAINING_ONLY = {"label_embedding.weight"}


def load(path: str | Path, device: str = "auto") -> Wav2Vec2:
    """Read a HuBERT-Soft checkpoint of its authors. Raises EncoderError, CheckpointError."""
    state = tensors(read_torch(path), path, "HuBERT-Soft")
    state = {key.removeprefix("module."): value for key, value in state.items()}
    weights: dict[str, torch.Tensor] = {}
    final: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        if key.startswith("proj."):
            final[key.removeprefix("proj.")] = value
        elif key not in TRAINING_ONLY:
            weights.update(_separate(_rename(key), value))
    config = config_of(weights, path)
    network = build(lambda: HubertModel(config), weights, path)
    width = len(final["bias"]) if "bias" in final else 1
    projection = build(lambda: nn.Linear(config.hidden_size, width), final, path)
    return Wav2Vec2(network, device, projection, padding=40)


def _rename(key: str) -> str:
    for pattern, name in KEYS:
        key = re.sub(pattern, name, key)
    return key


def _separate(key: str, value: torch.Tensor) -> dict[str, torch.Tensor]:
    """Queries, keys and values lie in one tensor, in this order."""
    if not (match := re.fullmatch(r"(.*\.)in_proj_(weight|bias)", key)):
        return {key: value}
    return {f"{match[1]}{part}_proj.{match[2]}": x for part, x in zip("qkv", value.chunk(3), strict=True)}
