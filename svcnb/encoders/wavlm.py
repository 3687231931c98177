"""WavLM: HuBERT's shape, with attention that knows how far apart two frames are (`wavlmbase+`).

Notebook: 02_features
"""

import ast
import re
from pathlib import Path

from transformers import WavLMConfig, WavLMModel

from svcnb.encoders import hubert
from svcnb.encoders.base import EncoderError, build, tensors
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.unpickle import read_torch

KEYS = [  # on top of HuBERT's
    (r"\.relative_attention_bias\.", ".rel_attn_embed."),
    (r"\.grep_linear\.", ".gru_rel_pos_linear."),
    (r"\.grep_a$", ".gru_rel_pos_const"),
]
MOST_LAYERS = 100  # of a convolution stack


class WavLM(Wav2Vec2):
    """Takes its sounds one by one: transformers' WavLM mixes two kinds of masks, which torch is about to refuse."""

    batch_frames = 0


def load(path: str | Path, device: str = "auto") -> WavLM:
    """Read a WavLM checkpoint of its authors. Raises EncoderError, CheckpointError."""
    checkpoint = read_torch(path)
    state = tensors(checkpoint.get("model") if isinstance(checkpoint, dict) else None, path, "WavLM")
    try:
        settings = checkpoint["cfg"]
        config = _config(settings)
        normalize = bool(settings["normalize"])
    except (KeyError, TypeError, ValueError) as error:
        raise EncoderError(f"{path} is not a WavLM checkpoint: in its `cfg`, {error}.") from None
    weights = {_rename(key): value for key, value in state.items()}
    return WavLM(build(lambda: WavLMModel(config), weights, path), device, normalize=normalize)


def conv_layers(expression: str) -> list[tuple[int, int, int]]:
    """Channels, kernel and stride of the convolutions, from a text such as "[(512,10,5)] + [(512,3,2)] * 4".

    Only numbers, tuples, lists, + and * are understood; nothing is run. Raises ValueError.
    """
    try:
        layers = _evaluate(ast.parse(expression, mode="eval").body)
        return [(int(channels), int(kernel), int(stride)) for channels, kernel, stride in layers]
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{str(expression)[:80]!r} does not describe convolutions") from None


def _evaluate(node: ast.AST):
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [_evaluate(part) for part in parts]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluate(left) + _evaluate(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int(times))) if times <= MOST_LAYERS:
            layers = _evaluate(left)
            if isinstance(layers, list) and len(layers) * times <= MOST_LAYERS:
                return layers * times
    raise ValueError


def _config(settings: dict) -> WavLMConfig:
    channels, kernels, strides = zip(*conv_layers(settings["conv_feature_layers"]), strict=True)
    return WavLMConfig(
        hidden_size=settings["encoder_embed_dim"],
        num_hidden_layers=settings["encoder_layers"],
        num_attention_heads=settings["encoder_attention_heads"],
        intermediate_size=settings["encoder_ffn_embed_dim"],
        conv_dim=channels,
        conv_kernel=kernels,
        conv_stride=strides,
        conv_bias=settings["conv_bias"],
        feat_extract_norm="layer" if settings["extractor_mode"] == "layer_norm" else "group",
        do_stable_layer_norm=settings["layer_norm_first"],
        num_conv_pos_embeddings=settings["conv_pos"],
        num_conv_pos_embedding_groups=settings["conv_pos_groups"],
        num_buckets=settings["num_buckets"],
        max_bucket_distance=settings["max_distance"],
    )


def _rename(key: str) -> str:
    key = hubert.rename(key)
    for pattern, name in KEYS:
        key = re.sub(pattern, name, key)
    return key
