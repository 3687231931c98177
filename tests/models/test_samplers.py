"""Every sampler against the original's: 78 whole samplings, and what happens with too few steps."""

import json
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from svcnb.config import DiffusionConfig
from svcnb.models.diffusion import GaussianDiffusion, Unit2Mel
from svcnb.models.samplers import SAMPLERS, sample
from svcnb.models.schedule import linear_betas
from svcnb.models.solvers import LOWEST, levels_above, path_at
from tests.conftest import GOLDEN

from .conftest import close
from .test_diffusion import fill_parameters

CASES = GOLDEN / "diffusion/samplers.json"
CASES = json.loads(CASES.read_text()) if CASES.exists() else []


class Analytic(torch.nn.Module):
    """A denoiser that is a formula (golden/diffusion/README.md)."""

    input_projection = torch.nn.Conv1d(8, 1, 1)  # tells how many bands there are

    def told(self, cond):
        return cond

    def forward(self, x, t, cond):
        t = t.view(-1, 1, 1)
        gain = torch.sqrt(1 - torch.exp(-(1e-4 * (t + 1) + 9.96e-6 * t * (t + 1))))
        return gain * x + 0.05 * torch.sin(3 * x + t / 50) + 0.02 * cond[:, :1]


@lru_cache
def denoiser(kind: str, folder: Path) -> torch.nn.Module:
    if kind == "analytic":
        return Analytic()
    stored = json.loads((folder / "tiny_unit2mel_config.json").read_text())
    config = {"data": {"encoder_out_channels": stored.pop("input_channel")}, "model": stored}
    return fill_parameters(Unit2Mel(DiffusionConfig.parse(config), stored.pop("out_dims"))).decoder.denoise_fn


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['name']}-{case['method']}")
@torch.inference_mode()
def test_sampling(golden, case):
    stored = samplings(golden("diffusion/samplers.safetensors"))
    get = lambda part: stored.get(f"{case['name']}.{part}")
    draws = [get("noise0").squeeze(1), *(get("step_noise") if get("step_noise") is not None else [])]
    inner, labels = denoiser(case["denoiser"], golden("diffusion")), []
    model = GaussianDiffusion(inner, case["timesteps"], case["k_step_max"])
    hook = inner.register_forward_pre_hook(lambda _, args: labels.append(args[1][0].item()))
    mel = get("gt_spec").mT if case["shallow"] else None
    with patch("torch.randn", lambda shape, **_: draws.pop(0).view(shape)):
        out = model.sample(get("cond").mT, mel, case["k_step"], case["method"] or "ddpm", case["infer_speedup"])
    hook.remove()
    assert len(labels) == case["n_denoiser_calls"] and not draws
    close(torch.tensor(labels), torch.tensor(case["t_first_of_batch"]), atol=1e-3, rtol=1e-6)
    close(out.mT, get("out"), atol=1e-4 * max(1, case["out_absmax"]), rtol=0)


@lru_cache
def samplings(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path)


def run(name, steps, speedup, batch=1):
    x, inner = torch.ones(batch, 8, 3), Analytic()
    condition = torch.zeros(batch, 4, 3)
    return sample(name, lambda x, t: inner(x, t, condition), x, linear_betas(1000)[:steps], speedup)


def test_too_few_steps_are_refused_where_the_original_fails(golden):
    for row in json.loads(golden("diffusion/sampler_errors.json").read_text()):
        arguments = row["method"], row["k_step"], row["infer_speedup"]
        if "Error" in row["result"] and "batch2" not in row["result"]:
            with pytest.raises(ValueError, match=f"{row['method'].replace('+', '.')} needs .*speedup of 10"):
                run(*arguments)
        else:  # a batch of two is no trouble to PNDM here
            assert run(*arguments, batch=2 if "batch2" in row["result"] else 1).isfinite().all()


def test_a_batch_is_sampled_as_each_of_it_alone():
    for name in set(SAMPLERS) - {"ddpm"}:
        close(run(name, 100, 10, batch=2)[:1], run(name, 100, 10), atol=1e-6)


def test_an_unknown_sampler_is_refused_at_every_speedup():
    for speedup in (1, 10):
        with pytest.raises(ValueError, match="no sampler 'euler' for diffusion; there are ddpm, ddim, pndm"):
            run("euler", 100, speedup)


def test_ddim_that_goes_nowhere_says_so(caplog):
    assert torch.equal(run("ddim", 10, 10), torch.ones(1, 8, 3)) and "the noise stays" in caplog.text


@pytest.mark.parametrize("timesteps", [100, 1000, 2000])
def test_noise_between_the_steps_of_training(golden, timesteps):
    g = load_file(golden("diffusion/vp_schedule.safetensors"))
    total = json.loads(golden("diffusion/vp_schedule_total_N.json").read_text())
    for name, lowest in (("dpm", LOWEST), ("unipc", -torch.inf)):
        get = lambda part, name=name: g[f"{name}{timesteps}.{part}"]
        log_alpha = levels_above(linear_betas(timesteps), lowest)
        assert len(log_alpha) == total[f"{name}{timesteps}.total_N"]
        path = path_at(log_alpha, get("t").double() * len(log_alpha) - 1)
        for actual, part in ((path.alpha, "log_alpha"), (path.sigma, "sigma"), (path.lam, "lambda")):
            actual = torch.tensor(actual).log() if part == "log_alpha" else torch.tensor(actual)
            close(actual, get(part), atol=1e-4, rtol=1e-4)
