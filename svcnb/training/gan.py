"""A generator and its critics take turns (Goodfellow et al. 2014): what So-VITS and the vocoder have in common.

Both are networks of a `State`, called `generator` and `discriminator`.

Notebook: 03_train_sovits
"""

import contextlib

import torch

from svcnb.training import loop, losses
from svcnb.training.state import State


def critics_turn(state: State, real: torch.Tensor, fake: torch.Tensor, acc, largest: float) -> tuple:
    """The critics learn to tell real sound (B, 1, N) from made.

    Returns their loss, the gradient's norm, and whether the step was made; larger norms are scaled down to `largest`.
    """
    discriminator = state.models["discriminator"]
    with acc.autocast():
        verdicts = discriminator(real, fake.detach())
    loss = losses.discriminator_loss(*verdicts)
    discriminator.zero_grad(set_to_none=True)
    acc.backward(loss)
    return loss, *loop.update(discriminator, state.optimizers["discriminator"], state.scaler, largest)


def verdict(state: State, real: torch.Tensor, fake: torch.Tensor, acc) -> tuple[torch.Tensor, torch.Tensor]:
    """What the critics say of the generator's sound: its adversarial and its feature matching loss."""
    with frozen(state.plain_models()["discriminator"]) as critics, acc.autocast():
        with torch.no_grad():  # nothing is learnt from what they say of the real
            of_real = critics.judge(real)
        of_fake = critics.judge(fake)
    return losses.generator_loss(of_fake), losses.feature_loss(of_real, of_fake)


def generators_turn(state: State, parts: dict[str, torch.Tensor], acc, largest: float) -> tuple:
    """The generator learns from the sum of its losses, all of `parts` but the critics' own.

    Returns the sum, the gradient's norm, and whether the step was made.
    """
    generator = state.models["generator"]
    total = sum(value for name, value in parts.items() if name != "disc")
    generator.zero_grad(set_to_none=True)
    acc.backward(total)
    norm, finite = loop.update(generator, state.optimizers["generator"], state.scaler, largest)
    if state.scaler is not None:
        state.scaler.update()
    return total, norm, finite


@contextlib.contextmanager
def frozen(model):
    """Gradients pass through the model, but not into it."""
    model.requires_grad_(False)
    yield model
    model.requires_grad_(True)
