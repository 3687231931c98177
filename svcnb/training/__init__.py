"""Training a voice: `for step in train_sovits("work"): ...`, and its second half: diffusion and vocoder."""

from svcnb.training.diffusion import train_diffusion
from svcnb.training.loop import Step
from svcnb.training.sovits import train_sovits
from svcnb.training.vocoder import train_vocoder

__all__ = ["Step", "train_diffusion", "train_sovits", "train_vocoder"]
