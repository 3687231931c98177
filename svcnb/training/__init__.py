"""Training a voice: `for step in train_sovits("work"): ...`."""

from svcnb.training.loop import Step
from svcnb.training.sovits import train_sovits

__all__ = ["Step", "train_sovits"]
