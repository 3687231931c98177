"""Three samplers that solve the diffusion as an equation in time: DPM-Solver, DPM-Solver++ and UniPC, second order.

Between the steps of training the noise level is interpolated, so that a step may lie between two. With x = α·mel +
σ·noise, the natural time is λ = log(α/σ): in it the linear part of the equation is solved exactly, and what the network
says changes slowly. Two calls are the fewest. Signature and arguments: see `samplers`.

Notebook: 04_train_diffusion
"""

import math
from dataclasses import dataclass

import torch

LOWEST = -5.1  # λ; noisier steps than this are left out by DPM-Solver


@dataclass
class Path:
    """The points that a solver visits, from noise to mel."""

    steps: list[float]  # as the network counts them, also between two
    alpha: list[float]  # share of the mel
    sigma: list[float]  # share of the noise
    lam: list[float]  # log(alpha / sigma)

    def __len__(self) -> int:
        return len(self.steps) - 1


def levels_above(betas: torch.Tensor, lowest: float) -> torch.Tensor:
    """log α (N,) of the steps of betas, without the noisiest, whose λ is below `lowest`."""
    log_alpha = 0.5 * torch.log1p(-betas.double()).cumsum(0)
    lam = log_alpha - 0.5 * torch.log1p(-torch.exp(2 * log_alpha))
    return log_alpha[lam >= lowest]


def path_at(log_alpha: torch.Tensor, steps: torch.Tensor) -> Path:
    """The path through these steps (S + 1,), log α linear between the steps of training (N,)."""
    steps = steps.double()
    low = steps.floor().long().clamp(max=len(log_alpha) - 2)
    log_alpha = torch.lerp(log_alpha[low], log_alpha[low + 1], steps - low)
    sigma = torch.sqrt(-torch.expm1(2 * log_alpha))
    lam = log_alpha - sigma.log()
    return Path(steps.tolist(), log_alpha.exp().tolist(), sigma.tolist(), lam.tolist())


def _path(betas: torch.Tensor, speedup: int, lowest: float) -> Path:
    log_alpha, calls = levels_above(betas.cpu(), lowest), len(betas) // speedup
    return path_at(log_alpha, torch.linspace(len(log_alpha) - 1, 0, calls + 1, dtype=torch.float64))


def dpm_solver(denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """On the noise that the network hears (Lu et al. 2022)."""
    return _dpm(denoise, x, _path(betas, speedup, LOWEST), clean=False)


def dpm_solver_pp(denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """On the mel that it expects behind the noise (Lu et al. 2022b)."""
    return _dpm(denoise, x, _path(betas, speedup, LOWEST), clean=True)


def _dpm(denoise, x, path: Path, clean: bool) -> torch.Tensor:
    said = []
    for i in range(1, len(path) + 1):
        said.append(_ask(denoise, x, path, i - 1, clean))
        first_order = i == 1 or (i == len(path) and len(path) < 10)  # few calls: a careful last one
        x = _advance(x, path, i, said[-1], 0 if first_order else _slope(path, i, said[-1], said[-2]), clean)
    return x


def unipc(denoise, x, betas, speedup: int = 10, generator=None) -> torch.Tensor:
    """DPM-Solver++, each step corrected by the next call (Zhao et al. 2023)."""
    path = _path(betas, speedup, -torch.inf)
    earlier, now = None, _ask(denoise, x, path, 0, clean=True)
    for i in range(1, len(path)):
        slope = 0 if earlier is None else _slope(path, i, now, earlier)
        ahead = _ask(denoise, _advance(x, path, i, now, slope, clean=True), path, i, clean=True)
        x = _advance(x, path, i, now, 2 * _correction(path, i, slope, ahead - now), clean=True)
        earlier, now = now, ahead
    return _advance(x, path, len(path), now, 0, clean=True)


def _ask(denoise, x, path: Path, i: int, clean: bool) -> torch.Tensor:
    """What the network says at a point: the noise in x, or the clean mel behind it."""
    noise = denoise(x, torch.full((len(x),), path.steps[i], device=x.device))
    return (x - path.sigma[i] * noise) / path.alpha[i] if clean else noise


def _advance(x, path: Path, i: int, said, slope, clean: bool) -> torch.Tensor:
    """From point i - 1 to i, if what is said changes by `slope` on the way."""
    kept = path.sigma if clean else path.alpha
    made = path.alpha if clean else path.sigma
    h = path.lam[i] - path.lam[i - 1]
    growth = math.expm1(-h if clean else h)
    return kept[i] / kept[i - 1] * x - made[i] * growth * (said + slope / 2)


def _slope(path: Path, i: int, said, before) -> torch.Tensor:
    """How much what is said will change from i - 1 to i, from how it changed up to i - 1."""
    return (said - before) * ((path.lam[i] - path.lam[i - 1]) / (path.lam[i - 1] - path.lam[i - 2]))


def _correction(path: Path, i: int, slope, change) -> torch.Tensor:
    """UniPC's term for a step whose end has been seen: `change` from its start, after a `slope` from before it."""
    if i == 1:
        return change / 2
    h = path.lam[i] - path.lam[i - 1]
    ratio = (path.lam[i - 2] - path.lam[i - 1]) / h
    growth = math.expm1(-h)
    phi1 = growth / -h - 1
    phi2 = phi1 / -h - 0.5
    b1, b2 = phi1 / growth, 2 * phi2 / growth
    rho = (b1 - b2) / (1 - ratio)
    return rho * slope + (b1 - rho) * change
