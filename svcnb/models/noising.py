"""Gaussian diffusion: noise added to a mel in many small steps (Ho et al. 2020), and its removal by a sampler.

Attribute names are those of the original's files.

Notebook: 04_train_diffusion
"""

import torch
from torch import nn

from svcnb.models import samplers
from svcnb.models.noise import normal
from svcnb.models.schedule import linear_betas, noise_schedule

SPEC_MIN, SPEC_MAX = -12.0, 2.0  # natural log mel that becomes -1 and 1


class MelRange(nn.Module):
    """What both ways between noise and mels have: the network, and mels brought to about -1 … 1."""

    def __init__(self, denoise_fn: nn.Module, k_step: int):
        super().__init__()
        self.denoise_fn, self.k_step = denoise_fn, k_step

    def register_range(self) -> None:
        self.register_buffer("spec_min", torch.full((1, 1, 1), SPEC_MIN))
        self.register_buffer("spec_max", torch.full((1, 1, 1), SPEC_MAX))

    def norm(self, mel: torch.Tensor) -> torch.Tensor:
        """Log mel to about -1 … 1; nothing is cut off."""
        return (mel - self.spec_min) / (self.spec_max - self.spec_min) * 2 - 1

    def denorm(self, x: torch.Tensor) -> torch.Tensor:
        """The way back from `norm`."""
        return (x + 1) / 2 * (self.spec_max - self.spec_min) + self.spec_min

    def steps(self, mel: torch.Tensor | None, k_step: int | None) -> int:
        """How many steps there are to go back: k_step from a mel, all of them from noise."""
        return self.k_step if mel is None or k_step is None else k_step

    def noise(self, condition: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Noise (B, M, T) for a condition (B, H, T)."""
        shape = (len(condition), self.denoise_fn.input_projection.in_channels, condition.shape[-1])
        return normal(shape, condition, generator)


class GaussianDiffusion(MelRange):
    """Noise and its removal, for log mels (B, M, T); only the first `k_step` of the schedule's steps are in use."""

    def __init__(self, denoise_fn: nn.Module, timesteps: int = 1000, k_step: int = 1000):
        super().__init__(denoise_fn, k_step)
        for name, values in noise_schedule(linear_betas(timesteps)).items():
            self.register_buffer(name, values.float())
        self.register_range()

    def add_noise(self, x: torch.Tensor, step: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """x (B, M, T), clean, as it is at steps (B,)."""
        at = lambda values: values[step].view(-1, 1, 1)
        return at(self.sqrt_alphas_cumprod) * x + at(self.sqrt_one_minus_alphas_cumprod) * noise

    def draw_steps(self, count: int, device, generator: torch.Generator | None = None) -> torch.Tensor:
        """Steps to train at, (count,), each as likely as any other."""
        where = device if generator is None else generator.device
        return torch.randint(0, self.k_step, (count,), generator=generator, device=where).to(device)

    def loss(self, mel, condition, step, noise) -> torch.Tensor:
        """Mean square of what the denoiser misses of noise (B, M, T) added to mel (B, M, T) as of steps (B,)."""
        said = self.denoise_fn(self.add_noise(self.norm(mel), step, noise), step, condition)
        return nn.functional.mse_loss(said, noise)

    def calls(self, k_step: int, sampler: str, speedup: int) -> int:
        """How many network calls a sampling takes. Raises ValueError as `samplers.calls` does."""
        return samplers.calls(sampler, k_step, speedup)

    def sample(self, condition, mel=None, k_step=None, sampler="unipc", speedup=10, generator=None) -> torch.Tensor:
        """A log mel (B, M, T) for a condition (B, H, T), from noise or from `mel` noised by k_step steps."""
        x, k_step = self.noise(condition, generator), self.steps(mel, k_step)
        if mel is not None:
            last = torch.full((len(condition),), k_step - 1, device=condition.device)
            x = self.add_noise(self.norm(mel), last, x)
        told = self.denoise_fn.told(condition)
        denoise = lambda x, step: self.denoise_fn(x, step, told)
        return self.denorm(samplers.sample(sampler, denoise, x, self.betas[:k_step], speedup, generator))
