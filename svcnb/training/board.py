"""What a training tells while it runs: a line in the log now and then, curves and sounds for TensorBoard.

Notebook: 03_train_sovits
"""

import logging
from collections.abc import Callable
from pathlib import Path

from svcnb.training.loop import Step

log = logging.getLogger(__name__)


def reporter(
    folder: Path, log_interval: int, tensorboard: bool, rate: int, names: Callable[[str], str]
) -> Callable[[Step], None]:
    """A function that is told of every step; sounds have `rate`, `names` gives a loss its name in TensorBoard."""
    write = _tensorboard(folder, rate, names) if tensorboard else lambda step: None

    def report(step: Step) -> None:
        if step.step % log_interval == 0:
            losses = {name: round(value, 4) for name, value in step.losses.items()}
            log.info("epoch %d step %d %s", step.epoch, step.step, losses)
        write(step)

    return report


def _tensorboard(folder: Path, rate: int, names: Callable[[str], str]) -> Callable[[Step], None]:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def write(step: Step) -> None:
        for name, value in step.losses.items():
            writer.add_scalar(names(name), value, step.step)
        for name, value in step.grad_norms.items():
            writer.add_scalar(f"grad_norm_{name[0]}", value, step.step)
        writer.add_scalar("learning_rate", step.learning_rate, step.step)
        for name, value in step.scores.items():
            writer.add_scalar(f"validation/{name}", value, step.step)
        for name, sound in step.audio.items():
            writer.add_audio(f"gen/{name}", sound[None], step.step, rate)
        if step.saved:
            writer.flush()

    return write
