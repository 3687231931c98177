"""Run by the tests of training: one training step on this process's share of a batch; writes the gradients."""

import sys
from pathlib import Path
from unittest.mock import patch

import torch

from svcnb.dataset import Batch
from svcnb.training import diffusion, sovits
from svcnb.training.diffusion_data import MelItem
from svcnb.training.loop import accelerator

from ..models.conftest import fill, zero_noise
from .conftest import HOP, small_config


def main(folder: Path, kind: str, name: str | None = None) -> None:
    acc = accelerator("fp32", "cpu")
    state, batch, step = {"sovits": _sovits, "diffusion": _diffusion}[kind](acc)
    share = type(batch)(*(x[acc.process_index :: acc.num_processes] for x in batch))
    with zero_noise(), patch("torch.randint", lambda low, high, size, **_: torch.full(size, high // 2)):
        step(share)
    gradients = {
        f"{which}.{key}": parameter.grad
        for which, model in state.plain_models().items()
        for key, parameter in model.named_parameters()
    }
    torch.save(gradients, folder / f"{name or acc.process_index}.pt")
    acc.end_training()


def _sovits(acc):
    config = small_config().copy_with(model={"p_dropout": 0.0}, train={"grad_clip": 0.0})
    state = sovits.new_state(config, acc)
    draw = _draw()
    batch = Batch(
        units=draw(4, 6, 20), f0=200 + 50 * draw(4, 20), uv=torch.ones(4, 20), spec=draw(4, 129, 20).abs(),
        wav=0.1 * draw(4, 1, 20 * HOP), speaker=torch.tensor([0, 1, 1, 0]), lengths=torch.full((4,), 20),
        volume=draw(4, 20).abs(),
    )  # fmt: skip
    return state, batch, lambda share: sovits.train_step(state, share, config, acc)


def _diffusion(acc):
    from .test_train_diffusion import settings

    state, draw = diffusion.new_state(settings(), 20, acc), _draw()
    fill(state.first().model.decoder.denoise_fn)  # its last layer begins with zeros, and none would learn
    batch = MelItem(
        units=draw(4, 9, 6), f0=200 + 50 * draw(4, 9, 1), volume=draw(4, 9, 1).abs(), mel=draw(4, 9, 20),
        speaker=torch.tensor([0, 1, 1, 0]), semitones=draw(4),
    )  # fmt: skip
    return state, batch, lambda share: diffusion.train_step(state, share, acc)


def _draw():
    noise = torch.Generator().manual_seed(1)
    return lambda *shape: torch.randn(*shape, generator=noise)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
