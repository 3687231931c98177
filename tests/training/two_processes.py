"""Run by test_train_sovits: one training step on this process's share of a batch; writes the gradients."""

import sys
from pathlib import Path

import torch

from svcnb.dataset import Batch
from svcnb.training.loop import accelerator
from svcnb.training.sovits import new_state, train_step

from ..models.conftest import zero_noise
from .conftest import HOP, small_config


def main(folder: Path, name: str | None = None) -> None:
    acc = accelerator("fp32", "cpu")
    config = small_config().copy_with(model={"p_dropout": 0.0}, train={"grad_clip": 0.0})
    state = new_state(config, acc)
    noise = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=noise)
    whole = Batch(
        units=draw(4, 6, 20), f0=200 + 50 * draw(4, 20), uv=torch.ones(4, 20), spec=draw(4, 129, 20).abs(),
        wav=0.1 * draw(4, 1, 20 * HOP), speaker=torch.tensor([0, 1, 1, 0]), lengths=torch.full((4,), 20),
        volume=draw(4, 20).abs(),
    )  # fmt: skip
    share = Batch(*(x[acc.process_index :: acc.num_processes] for x in whole))
    with zero_noise():
        train_step(state, share, config, acc)
    gradients = {
        f"{which}.{key}": parameter.grad
        for which, model in state.plain_models().items()
        for key, parameter in model.named_parameters()
    }
    torch.save(gradients, folder / f"{name or acc.process_index}.pt")
    acc.end_training()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
