"""A training told on the command line, as it goes.

Notebook: 03_train_sovits
"""

from collections.abc import Iterator

import typer


def follow(steps: Iterator, every: int) -> None:
    """Make the steps of a training and tell of them, in a bar and, each `every`, in a line."""
    from tqdm import tqdm

    with tqdm(disable=None, unit="step") as bar:
        try:
            for step in steps:
                for line in _news(step, every):
                    bar.write(line)
                bar.update(step.step - bar.n)
                name, loss = next((part for part in step.losses.items() if part[0] != "disc"), ("loss", 0))
                bar.set_postfix({name: f"{loss:.2f}"})
        except KeyboardInterrupt:
            bar.write("Stopped and saved; the same command goes on from here.")
            raise typer.Exit(130) from None


def _news(step, every: int) -> Iterator[str]:
    """What is worth a line of text in a training step."""
    if step.resumed_from is not None:
        yield f"Going on from step {step.resumed_from}."
    if step.skipped:
        yield f"Step {step.step} changed nothing: {step.skipped}."
    elif step.step % every == 0:
        losses = "  ".join(f"{name} {value:.2f}" for name, value in step.losses.items())
        left = "" if step.eta is None else f"  {step.eta / 60:.0f} min left"
        yield f"step {step.step}  epoch {step.epoch}  {losses}{left}"
    if step.saved:
        yield f"Saved: {step.saved}"
