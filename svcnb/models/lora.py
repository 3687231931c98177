"""Low-rank adaptation (Hu et al. 2021): a finished model is kept as it is, and a few numbers beside it are trained.

To each large weight of R rows and C columns a product is added of `up` (R, rank), zero at first, and `down` (rank, C),
which is random. Biases, norms and embeddings are small, and trained whole.

Notebook: 06_mixing_export
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn.utils import parametrize

ADAPTED, MARK = "original", "parametrizations"  # what torch calls a weight that is computed from another


class LowRank(nn.Module):
    """A weight of any shape, its first dimension as rows, plus up · down."""

    def __init__(self, weight: torch.Tensor, rank: int, generator: torch.Generator | None = None):
        super().__init__()
        # so spread that a step of Adam moves the weight as far as if it were trained itself
        down = torch.randn(rank, weight[0].numel(), generator=generator) / rank**0.5
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros(len(weight), rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def adapt(model: nn.Module, rank: int, but: str = "", generator: torch.Generator | None = None) -> None:
    """Freeze the model's large weights and put low-rank ones beside them; the model sings as before.

    but: what begins so stays as it is, and is trained whole.
    """
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.Embedding) or (but and f"{path}.".startswith(but)):
            continue
        for name, weight in list(module.named_parameters(recurse=False)):
            if _large(weight, rank):
                weight.requires_grad_(False)
                parametrize.register_parametrization(module, name, LowRank(weight, rank, generator))


def _large(weight: torch.Tensor, rank: int) -> bool:
    """Do two thin matrices have less than half as many numbers?"""
    return weight.dim() > 1 and 2 * rank * (len(weight) + weight[0].numel()) < weight.numel()


def parts(model: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What was trained (`<key>.up`, `<key>.down`, and whole tensors), and the frozen weights, each by its plain key.

    Of a tensor that has several names the last counts, as in files.
    """
    trained, frozen = {}, {}
    last = {tensor.data_ptr(): (key, tensor) for key, tensor in model.state_dict().items()}
    for key, tensor in last.values():
        if MARK not in key.split("."):
            trained[key] = tensor
            continue
        path, rest = key.split(f"{MARK}.")
        name, *factor = rest.split(".")
        if factor == [ADAPTED]:
            frozen[path + name] = tensor
        else:
            trained[f"{path}{name}.{factor[-1]}"] = tensor
    return trained, frozen


def combined(
    frozen: Mapping[str, torch.Tensor], trained: Sequence[Mapping[str, torch.Tensor]], shares: Sequence[float]
) -> dict[str, torch.Tensor]:
    """A plain state dict: frozen weights plus a share of each training's low-rank ones, and of what it holds whole."""
    state = dict(frozen)
    for tensors, share in zip(trained, shares, strict=True):
        for key, tensor in tensors.items():
            name, _, factor = key.rpartition(".")
            if factor == "up":
                state[name] = state[name] + share * (tensor @ tensors[f"{name}.down"]).view_as(state[name])
            elif factor != "down":
                state[key] = state.get(key, 0) + share * tensor
    return state
