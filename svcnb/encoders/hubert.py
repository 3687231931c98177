"""HuBERT as fairseq stores it: ContentVec (`vec768l12`, `vec256l9`) and Chinese HuBERT (`cnhubertlarge`).

The network is transformers' HubertModel, cut off after the wanted layer; the map of names is below. The original gives
Chinese HuBERT sound as it is although it was trained on normalised sound, and the models made with it need that:
set `encoder.normalize = True` for what it was trained on.

Notebook: 02_features
"""

import re
from pathlib import Path

import torch
from torch import nn
from transformers import HubertConfig, HubertModel

from svcnb.encoders.base import EncoderError, build, tensors
from svcnb.encoders.wav2vec2 import KERNELS, STRIDES, Wav2Vec2
from svcnb.unpickle import read_torch

KEYS = [  # fairseq's names → transformers'
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.0\.", r"\1.conv."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.2\.(1\.)?", r"\1.layer_norm."),
    (r"^encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"^encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.self_attn\.", ".attention."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
]
TRAINING_ONLY = {"label_embs_concat"}  # what HuBERT predicts in training


def load(
    path: str | Path, device: str = "auto", layers: int | None = None, project: bool = False, heads: int | None = None
) -> Wav2Vec2:
    """Read a fairseq HuBERT checkpoint. Raises EncoderError, CheckpointError.

    layers: units are what comes after so many (None: all). project: put them through the checkpoint's `final_proj`.
    heads: of the attention; the files do not tell, and all released models have heads of 64 values.
    """
    checkpoint = read_torch(path)
    state = tensors(checkpoint.get("model") if isinstance(checkpoint, dict) else None, path, "fairseq HuBERT")
    state = {key: value for key, value in state.items() if key not in TRAINING_ONLY}
    final = {k.removeprefix("final_proj."): state.pop(k) for k in list(state) if k.startswith("final_proj.")}
    weights = {rename(key): value for key, value in state.items()}
    config = config_of(weights, path, layers, heads)
    network = build(lambda: HubertModel(config), up_to(weights, config.num_hidden_layers), path)
    projection = None
    if project:
        width = len(final["bias"]) if "bias" in final else 1
        projection = build(lambda: nn.Linear(config.hidden_size, width), final, path)
    return Wav2Vec2(network, device, projection)


def config_of(
    weights: dict[str, torch.Tensor], path: str | Path, layers: int | None = None, heads: int | None = None
) -> HubertConfig:
    """Sizes of a HuBERT, read off its weights by transformers' names. Raises EncoderError."""
    try:
        conv = [weights[f"feature_extractor.conv_layers.{i}.conv.weight"] for i in range(len(KERNELS))]
        width = len(weights["feature_projection.projection.weight"])
        inner = len(weights["encoder.layers.0.feed_forward.intermediate_dense.weight"])
        _, grouped, kernel = weights["encoder.pos_conv_embed.conv.parametrizations.weight.original1"].shape
    except (KeyError, ValueError) as error:
        raise EncoderError(f"{path} is not a file of this encoder: it lacks {error}.") from None
    large = "feature_extractor.conv_layers.1.layer_norm.weight" in weights
    count = len({key.split(".")[2] for key in weights if key.startswith("encoder.layers.")})
    if layers is not None and count < layers:
        raise EncoderError(
            f"{path} has {count} transformer layers, but this encoder takes the units after layer {layers}."
        )
    return HubertConfig(
        hidden_size=width,
        num_hidden_layers=layers or count,
        num_attention_heads=heads or max(1, width // 64),
        intermediate_size=inner,
        conv_dim=[len(x) for x in conv],
        conv_kernel=KERNELS,
        conv_stride=STRIDES,
        conv_bias="feature_extractor.conv_layers.0.conv.bias" in weights,
        feat_extract_norm="layer" if large else "group",
        do_stable_layer_norm=large,
        num_conv_pos_embeddings=kernel,
        num_conv_pos_embedding_groups=width // grouped,
    )


def up_to(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """The weights without transformer layers that nobody listens to."""
    pattern = re.compile(r"^encoder\.layers\.(\d+)\.")
    return {k: v for k, v in weights.items() if not (match := pattern.match(k)) or int(match[1]) < layers}


def rename(key: str) -> str:
    """transformers' name of a fairseq tensor."""
    for pattern, name in KEYS:
        key = re.sub(pattern, name, key)
    return key
