"""Rectified flow: the straight way from noise to a mel (Liu et al. 2023), and three ways to walk it.

Between a mel and noise lies a line, x = (1 - t)·mel + t·noise. The network, the same that diffusion has, learns which
way the line runs, noise - mel; following what it says from time 1 to time 0 leads from noise to a mel. The straighter
the paths that it has learnt, the fewer steps are needed. Times count from 0 to 1 here, and for the network, as in
diffusion, from 0 to `timesteps`.

Notebook: 04_train_diffusion
"""

from collections.abc import Callable

import torch
from torch import nn

from svcnb.models.noising import MelRange

Velocity = Callable[[torch.Tensor, float], torch.Tensor]  # (x (B, M, T), time) to the direction (B, M, T)


class RectifiedFlow(MelRange):
    """Noise and its removal, for log mels (B, M, T), along lines up to the time k_step / timesteps."""

    def __init__(self, denoise_fn: nn.Module, timesteps: int = 1000, k_step: int = 1000):
        super().__init__(denoise_fn, k_step)
        self.timesteps = timesteps
        self.register_range()

    def draw_steps(self, count: int, device, generator: torch.Generator | None = None) -> torch.Tensor:
        """Times to train at, (count,), as the network counts them: logit-normal, most of them midway, where most is
        undecided (Esser et al. 2024)."""
        where = device if generator is None else generator.device
        return torch.randn((count,), generator=generator, device=where).to(device).sigmoid() * self.k_step

    def loss(self, mel, condition, step, noise) -> torch.Tensor:
        """Mean square of how far the network misses the direction from mel (B, M, T) to noise, asked at steps (B,)."""
        x, time = self.norm(mel), (step / self.timesteps).view(-1, 1, 1)
        said = self.denoise_fn(torch.lerp(x, noise, time), step, condition)
        return nn.functional.mse_loss(said, noise - x)

    def calls(self, k_step: int, sampler: str, speedup: int) -> int:
        """How many network calls a sampling takes. Raises ValueError for a sampler of diffusion, or too few steps."""
        if sampler not in CALLS:
            raise ValueError(f"This model is a rectified flow: take {', '.join(CALLS)} as sampler, not {sampler!r}.")
        least = CALLS[sampler] * speedup
        if k_step < least:
            raise ValueError(f"{sampler} needs {least} steps for a speedup of {speedup}, not {k_step}.")
        return k_step // least * CALLS[sampler]

    def sample(self, condition, mel=None, k_step=None, sampler="euler", speedup=10, generator=None) -> torch.Tensor:
        """A log mel (B, M, T) for a condition (B, H, T), from noise, or from `mel` at the time k_step / timesteps."""
        x, k_step = self.noise(condition, generator), self.steps(mel, k_step)
        start = k_step / self.timesteps
        if mel is not None:
            x = torch.lerp(self.norm(mel), x, start)
        step = lambda time: torch.full((len(x),), time * self.timesteps, device=x.device)
        told, count = self.denoise_fn.told(condition), self.calls(k_step, sampler, speedup) // CALLS[sampler]
        return self.denorm(walk(sampler, lambda x, time: self.denoise_fn(x, step(time), told), x, start, count))


def walk(name: str, velocity: Velocity, x: torch.Tensor, start: float, count: int) -> torch.Tensor:
    """x (B, M, T) at time `start`, brought to time 0 in `count` equal steps of the sampler of this name."""
    length = start / count
    for i in range(count):
        x = x - length * SAMPLERS[name](velocity, x, start - i * length, length)
    return x


def euler(velocity: Velocity, x: torch.Tensor, time: float, length: float) -> torch.Tensor:
    """The direction at the beginning of a step."""
    return velocity(x, time)


def midpoint(velocity: Velocity, x: torch.Tensor, time: float, length: float) -> torch.Tensor:
    """The direction in the middle of a step, where half a step of Euler's leads."""
    return velocity(x - length / 2 * velocity(x, time), time - length / 2)


def rk4(velocity: Velocity, x: torch.Tensor, time: float, length: float) -> torch.Tensor:
    """Runge and Kutta's mean of four directions: at the beginning, twice in the middle, at the end."""
    half = length / 2
    first = velocity(x, time)
    second = velocity(x - half * first, time - half)
    third = velocity(x - half * second, time - half)
    last = velocity(x - length * third, max(0.0, time - length))
    return (first + 2 * second + 2 * third + last) / 6


SAMPLERS = {"euler": euler, "midpoint": midpoint, "rk4": rk4}
CALLS = {"euler": 1, "midpoint": 2, "rk4": 4}  # of the network in a step
