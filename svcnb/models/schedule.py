"""The noise schedule of the diffusion: how much of a mel is left after each step, in every form that is needed.

Notebook: 04_train_diffusion
"""

import torch


def linear_betas(timesteps: int) -> torch.Tensor:
    """Share of noise that each step adds, (timesteps,) in float64.

    The ends do not move with the number of steps: with far fewer than 1000 the last step is not yet pure noise.
    """
    return torch.linspace(1e-4, 0.02, timesteps, dtype=torch.float64)


def noise_schedule(betas: torch.Tensor) -> dict[str, torch.Tensor]:
    """All that follows from betas (N,), each (N,) in float64, named and ordered as in the original's files.

    `posterior_…` describe the step back: the Gaussian of a mel one step less noisy, when the clean mel is known.
    """
    betas = betas.double()
    kept = (1 - betas).cumprod(0)  # share of the mel's power that is left
    before = torch.cat([kept.new_ones(1), kept[:-1]])
    variance = betas * (1 - before) / (1 - kept)
    return {
        "betas": betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": kept.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - kept).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - kept).log(),
        "sqrt_recip_alphas_cumprod": (1 / kept).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / kept - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - kept),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - kept),
    }
