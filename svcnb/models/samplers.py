"""Six ways from noise to a mel, one signature: DDPM, DDIM, PNDM, and three solvers of the same equation in `solvers`.

Each takes
  denoise   (x (B, M, T), step (B,)) to the noise in x, (B, M, T),
  x         (B, M, T), with the noise of the last of the steps,
  betas     (N,), the noise of each of the steps to go back,
  speedup   about how many of them one network call goes back,
  generator for the noise that DDPM adds; the others add none,
and returns the clean x.

Notebook: 04_train_diffusion
"""

import logging
from collections.abc import Callable

import torch

from svcnb.models.noise import normal
from svcnb.models.schedule import noise_schedule
from svcnb.models.solvers import dpm_solver, dpm_solver_pp, unipc

log = logging.getLogger(__name__)
Denoise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def calls(name: str, steps: int, speedup: int = 10) -> int:
    """How many network calls a sampler takes for so many steps.

    Raises ValueError for an unknown name and where there are too few steps for the speedup.
    """
    if name not in SAMPLERS:
        raise ValueError(f"There is no sampler {name!r} for diffusion; there are {', '.join(SAMPLERS)}.")
    if speedup <= 1 or name == "ddpm":
        return steps
    if name == "pndm" and steps <= speedup:
        raise ValueError(f"pndm needs more than {speedup} steps for a speedup of {speedup}; take a lower one, or ddim.")
    if name in ("ddim", "pndm"):
        return -(-steps // speedup) + (name == "pndm")  # which makes its first step twice
    if steps < 2 * speedup:
        raise ValueError(
            f"{name} needs at least two calls: {2 * speedup} steps for a speedup of {speedup}, not {steps}."
        )
    return steps // speedup


def sample(name: str, denoise: Denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """Denoise x (B, M, T) by the sampler of this name.

    With a speedup of 1, every step, that is DDPM whichever is named, as in the original.
    Raises ValueError as `calls` does.
    """
    calls(name, len(betas), speedup)
    return SAMPLERS[name if speedup > 1 else "ddpm"](denoise, x, betas, speedup, generator)


def ddpm(denoise: Denoise, x, betas, speedup: int = 1, generator=None) -> torch.Tensor:
    """Every step back, each with fresh noise (Ho et al. 2020); the mel that it expects is kept within the range."""
    schedule = {key: values.tolist() for key, values in noise_schedule(betas).items()}
    for i in reversed(range(len(betas))):
        at = lambda key, i=i: schedule[key][i]
        noise = denoise(x, _step(i, x))
        clean = at("sqrt_recip_alphas_cumprod") * x - at("sqrt_recipm1_alphas_cumprod") * noise
        mean = at("posterior_mean_coef1") * clean.clamp(-1, 1) + at("posterior_mean_coef2") * x
        fresh = normal(x.shape, x, generator)  # drawn at the last step too, to no effect, as in the original
        x = mean + at("posterior_variance") ** 0.5 * fresh
    return x


def ddim(denoise: Denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """Straight towards where the noise points, step after step (Song et al. 2021); a trace of noise stays."""
    if len(betas) <= speedup:
        log.warning("ddim with %d steps and a speedup of %d goes nowhere: the noise stays.", len(betas), speedup)
    kept = noise_schedule(betas)["alphas_cumprod"].tolist()
    for i in reversed(range(0, len(betas), speedup)):
        now, then = kept[i], kept[max(i - speedup, 0)]
        noise = denoise(x, _step(i, x))
        x = then**0.5 * (x / now**0.5 + ((1 / then - 1) ** 0.5 - (1 / now - 1) ** 0.5) * noise)
    return x


_MULTISTEP = {1: (3, -1), 2: (23, -16, 5), 3: (55, -59, 37, -9)}  # Adams-Bashforth, newest first


def pndm(denoise: Denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """DDIM's steps, with the noise extrapolated from up to four calls (Liu et al. 2022); it needs two steps."""
    kept, earlier = noise_schedule(betas)["alphas_cumprod"].tolist(), []
    for i in reversed(range(0, len(betas), speedup)):
        then = max(i - speedup, 0)
        noise = denoise(x, _step(i, x))
        if not earlier:
            ahead = denoise(transfer(x, noise, kept[i], kept[then]), _step(then, x))
            mixed = (noise + ahead) / 2
        else:
            weights = _MULTISTEP[len(earlier)]
            mixed = sum(w * e for w, e in zip(weights, [noise, *earlier], strict=True)) / sum(weights)
        x = transfer(x, mixed, kept[i], kept[then])
        earlier = [noise, *earlier][:3]
    return x


def transfer(x: torch.Tensor, noise: torch.Tensor, now: float, then: float) -> torch.Tensor:
    """PNDM's step from a share `now` of the mel's power to a share `then`."""
    along = x / (now**0.5 * (now**0.5 + then**0.5))
    against = noise / (now**0.5 * (((1 - then) * now) ** 0.5 + ((1 - now) * then) ** 0.5))
    return x + (then - now) * (along - against)


def _step(i: int, x: torch.Tensor) -> torch.Tensor:
    return torch.full((len(x),), float(i), device=x.device)


SAMPLERS = {
    "ddpm": ddpm, "ddim": ddim, "pndm": pndm, "dpm-solver": dpm_solver, "dpm-solver++": dpm_solver_pp, "unipc": unipc,
}  # fmt: skip
