"""Random draws as an argument: each takes the generator to draw from, None being torch's own."""

import torch


def normal(shape, like: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Standard normal noise of a shape, with the type and on the device of `like`, drawn where the generator lives."""
    device = like.device if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)


def uniform(shape, generator: torch.Generator | None = None) -> torch.Tensor:
    """Uniform noise in [0, 1), drawn where the generator lives (None: the CPU)."""
    return torch.rand(shape, generator=generator, device="cpu" if generator is None else generator.device)
