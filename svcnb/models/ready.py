"""A network made ready to sing: weights folded, and what the decoder works on kept in the processor's cache.

Notebook: 05_infer
"""

import torch
from torch import nn

from svcnb.models.norms import Conv1d, ConvTranspose1d, fold_weight_norm
from svcnb.models.nsf_hifigan import Generator
from svcnb.models.snake import SnakeAlias

WINDOW = 2**20  # values: 4 MB, so that several of them fit into a CPU's cache


def ready_to_sing(model: nn.Module, precision: str = "fp32") -> nn.Module:
    """Prepare a network for conversion on the device where it is; it can be neither trained nor saved afterwards.

    precision: "fp32", "bf16" for a decoder that works in bfloat16, or "auto" for bfloat16 where the device has it
    natively. Raises ValueError.
    """
    if precision not in ("fp32", "bf16", "auto"):
        raise ValueError(f"There is no precision {precision!r} for singing; there are fp32, bf16 and auto.")
    fold_weight_norm(model).requires_grad_(False)
    for part in model.modules():
        if isinstance(part, Generator):
            if part.conv_pre.weight.device.type == "cpu":  # a GPU would rather have all at once
                part.window = WINDOW
                _suit_cpu(part)
            if precision == "bf16" or (precision == "auto" and _has_bfloat16(part.conv_pre.weight.device)):
                _narrow(part)
    return model


def usual_way(model: nn.Module) -> nn.Module:
    """Undo what only a CPU wants: a graph is drawn from a network that works in the usual way."""
    for part in model.modules():
        if isinstance(part, SnakeAlias):
            part.fused = False
        elif isinstance(part, Generator):
            part.window = 0
    return model


def _suit_cpu(decoder: Generator) -> None:
    for module in decoder.modules():
        if isinstance(module, SnakeAlias):
            module.fused = True
        elif isinstance(module, (Conv1d, ConvTranspose1d)):  # channels last: what comes out of them is so, too
            module.weight.data = module.weight.data.mT.contiguous().mT


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _narrow(decoder: Generator) -> None:
    """The convolutions in bfloat16; the sines, and what bends them, stay exact."""
    for module in decoder.modules():
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
            module.to(torch.bfloat16)
