"""A training as a file: weights, optimisers, averages and place, saved whole and taken up again exactly.

The random numbers of a step follow from the seed and the step's number alone, and so do its clips, so the state of a
training is its tensors and one number.

Notebook: 03_train_sovits
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from svcnb.checkpoint import CheckpointError, read_torch
from svcnb.files import whole_file

log = logging.getLogger(__name__)

HARMLESS = {  # may change on resume
    "log_interval", "eval_interval", "keep_ckpts", "all_in_mem", "epochs", "port", "num_workers", "cache_device",
    "interval_log", "interval_val", "interval_force_save", "save_opt", "batch_size",
}  # fmt: skip


class ResumeError(ValueError):
    """The training stored in `folder` does not fit what is asked for; `why` names the difference."""

    def __init__(self, folder: Path, why: str):
        self.folder, self.why = folder, why
        super().__init__(f"The training in {folder} does not fit: {why}. Put that back, or take resume=False.")


@dataclass
class State:
    """Networks and optimisers by name, and how many steps they have made."""

    models: dict[str, torch.nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    average: dict[str, torch.Tensor] | None = None  # moving average of the first network's weights
    decay: float = 0.0  # of that average in a step
    step: int = 0
    skipped: int = 0  # steps left out because a loss or gradient was not finite
    scaler: torch.amp.GradScaler | None = None
    made_from: dict = field(default_factory=dict)  # settings and data fingerprint
    resumed_from: int | None = None  # the step of the state that was taken up, until the next step

    def plain_models(self) -> dict[str, torch.nn.Module]:
        """The networks without the wrapper that several processes need."""
        return {name: getattr(model, "module", model) for name, model in self.models.items()}

    def first(self) -> torch.nn.Module:
        """The network that all is about, without its wrapper: the generator."""
        return next(iter(self.plain_models().values()))

    def begin_average(self) -> None:
        """Average from the present weights on."""
        if self.decay:
            self.average = {key: value.clone() for key, value in self.first().state_dict().items()}

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the weights: slowly, except at the very beginning."""
        if self.average is None:
            return
        weights, decay = self.first().state_dict(), min(self.decay, (1 + self.step) / (10 + self.step))
        moving = [key for key, average in self.average.items() if average.is_floating_point()]
        torch._foreach_lerp_([self.average[key] for key in moving], [weights[key] for key in moving], 1 - decay)
        for key in self.average.keys() - set(moving):
            self.average[key].copy_(weights[key])

    @contextmanager
    def averaged(self) -> Iterator[torch.nn.Module]:
        """The first network in eval mode, with its averaged weights if there are any; afterwards as it was."""
        model, own = self.first(), None
        if self.average is not None:
            own = {key: value.clone() for key, value in model.state_dict().items()}
            model.load_state_dict(self.average)
        model.eval()
        yield model
        if own is not None:
            model.load_state_dict(own)
        model.train()

    def save(self, path: Path) -> None:
        """Write the state whole; the one before stays beside it as *.previous. Raises OSError."""
        content = {
            "models": {name: model.state_dict() for name, model in self.plain_models().items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "average": self.average,
            "step": self.step,
            "skipped": self.skipped,
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "made_from": self.made_from,
        }
        with whole_file(path) as part:
            torch.save(content, part)
            if path.exists():
                path.replace(_previous(path))

    def load(self, path: Path) -> None:
        """Take up a stored state. Raises ResumeError when it was made from other settings or data."""
        stored = _read(path)
        if differences := _differences(stored["made_from"], self.made_from):
            raise ResumeError(path.parent, "; ".join(differences[:5]))
        for name, model in self.plain_models().items():
            model.load_state_dict(stored["models"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(stored["optimizers"][name])
        if self.average is not None:
            for key, value in stored["average"].items():
                self.average[key].copy_(value)
        if self.scaler is not None and stored["scaler"]:
            self.scaler.load_state_dict(stored["scaler"])
        self.step, self.skipped = stored["step"], stored["skipped"]
        self.resumed_from = self.step
        log.info("going on from step %d", self.step)


def stored_state(path: Path) -> bool:
    """Is there a training to take up?"""
    return path.exists() or _previous(path).exists()


def describe(settings: dict[str, dict], data: str) -> dict:
    """What a training is made from, for `State.made_from`: sections of settings, and the data's fingerprint."""
    return {"config": settings, "data": data}


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _read(path: Path) -> dict:
    """The newest readable state: a crash between two moves leaves only the previous one."""
    for candidate in (path, _previous(path)):
        if candidate.exists():
            try:
                return read_torch(candidate)
            except CheckpointError as error:
                log.warning("%s Trying the state saved before it.", error)
    raise ResumeError(path.parent, f"{path.name} can not be read")


def _differences(stored: dict, wanted: dict) -> list[str]:
    differences = [
        f"{section}.{key} was {before.get(key)!r} and is now {value!r}"
        for section, values in wanted["config"].items()
        for before in [stored["config"][section]]
        for key, value in values.items()
        if before.get(key, value) != value and not (section == "train" and key in HARMLESS)
    ]
    differences += [
        f"spk.{name} is gone" for name in stored["config"].get("spk", {}) if name not in wanted["config"]["spk"]
    ]
    if stored["data"] != wanted["data"]:
        differences.append("the prepared clips are others")
    return differences
