"""Rectified flow: exact where the way is straight, of the order that each sampler has where it bends."""

import math

import pytest
import torch

from svcnb.config import DiffusionConfig
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.rectified import CALLS, SAMPLERS, RectifiedFlow, walk

from .conftest import close

MEL = torch.linspace(-11, 1, 24).view(1, 4, 6)


class Straight(torch.nn.Module):
    """A network that knows one mel: the way to it from wherever it is."""

    input_projection = torch.nn.Conv1d(4, 1, 1)  # tells how many bands there are

    def __init__(self, timesteps=1000):
        super().__init__()
        self.timesteps, self.asked = timesteps, []

    def told(self, condition):
        return condition

    def forward(self, x, step, condition):
        self.asked.append(step[0].item())
        return (x - (MEL + 12) / 7 + 1) / (step / self.timesteps).view(-1, 1, 1).clamp(min=1e-6)


def flow(k_step=1000, timesteps=1000):
    return RectifiedFlow(Straight(timesteps), timesteps, k_step)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_straight_way_is_walked_in_one_step(sampler):
    noise, mel = torch.randn(2, 1, 4, 6)
    close(walk(sampler, lambda x, time: noise - mel, noise, 1.0, 1), mel, atol=1e-6)
    model, condition = flow(), torch.zeros(1, 3, 6)
    if sampler != "rk4":  # its last call is at time 0, where the way of this network has no length
        close(model.sample(condition, sampler=sampler, speedup=1000 // CALLS[sampler]), MEL, atol=1e-4)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_twice_the_steps_have_an_error_smaller_by_its_order(sampler, order):
    x, end = torch.ones(1, 1, 1, dtype=torch.float64), math.exp(-1 + math.sin(3) / 3)
    bend = lambda x, time: x * (1 - math.cos(3 * time))
    error = lambda count: abs(walk(sampler, bend, x, 1.0, count).item() - end)
    assert math.log2(error(16) / error(32)) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("k_step", [1, 300, 1000])
def test_it_starts_anywhere_on_the_way(k_step):
    model, condition = flow(), torch.zeros(1, 3, 6)
    other = MEL + torch.randn(MEL.shape)
    generator = torch.Generator().manual_seed(0)
    made = model.sample(condition, other, k_step, "euler", k_step, generator)
    assert model.denoise_fn.asked == [k_step]
    close(made, MEL, atol=1e-3)


def test_calls_are_counted_as_they_are_made():
    for sampler in SAMPLERS:
        for speedup in (1, 10, 60):
            model = flow()
            model.sample(torch.zeros(1, 3, 6), MEL, 250, sampler, speedup)
            assert len(model.denoise_fn.asked) == model.calls(250, sampler, speedup) <= 250 // speedup
            assert max(model.denoise_fn.asked) == 250 and min(model.denoise_fn.asked) >= 0


def test_the_loss_is_of_the_way_from_mel_to_noise():
    model, noise = flow(), torch.randn(1, 4, 6)
    close(model.loss(MEL, None, torch.tensor([400.0]), noise), torch.tensor(0.0), atol=1e-10)
    model.denoise_fn.forward = lambda x, step, condition: torch.zeros_like(x)
    close(model.loss(MEL, None, torch.tensor([400.0]), noise), (noise - model.norm(MEL)).square().mean())


def test_times_are_logit_normal_up_to_the_last_step():
    draw = lambda model: model.draw_steps(20000, "cpu", torch.Generator().manual_seed(0)) / 1000
    times = draw(flow())
    assert times.min() > 0 and times.max() < 1
    close(times.logit().mean(), torch.tensor(0.0), atol=0.03), close(times.logit().std(), torch.tensor(1.0), atol=0.03)
    close(draw(flow(k_step=200)), 0.2 * times)


def unit2mel(**model):
    torch.manual_seed(0)
    tree = {"data": {"encoder_out_channels": 5}, "model": dict(n_layers=2, n_chans=8, n_hidden=6) | model}
    return Unit2Mel(DiffusionConfig.parse(tree), mels=4).eval()


def test_the_network_is_that_of_diffusion_without_its_schedule():
    flow, diffusion = unit2mel(type="RectifiedFlow").state_dict(), unit2mel().state_dict()
    assert {key: tensor.shape for key, tensor in flow.items()} == {
        key: tensor.shape for key, tensor in diffusion.items() if "alpha" not in key and key != "decoder.betas"
        and "posterior" not in key
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (
            "RectifiedFlow",
            {"sampler": "unipc"},
            "is a rectified flow: take euler, midpoint, rk4 as sampler, not 'unipc'",
        ),
        ("RectifiedFlow", {"sampler": "rk4", "speedup": 300}, "rk4 needs 1200 steps for a speedup of 300, not 1000"),
        ("Diffusion", {"sampler": "euler"}, "no sampler 'euler' for diffusion; there are ddpm, ddim, pndm"),
    ],
)
def test_a_sampler_of_the_other_kind_is_refused(kind, arguments, said):
    song = torch.zeros(1, 3, 5), torch.zeros(1, 3, 1), torch.zeros(1, 3, 1)
    with pytest.raises(ValueError, match=said):
        unit2mel(type=kind)(*song, **arguments)


def test_a_mel_is_repeatable():
    model = unit2mel(type="RectifiedFlow")
    torch.nn.init.normal_(model.decoder.denoise_fn.output_projection.weight)
    song = torch.zeros(2, 3, 5), torch.zeros(2, 3, 1), torch.zeros(2, 3, 1)
    sing = lambda seed, **how: model(*song, **how, generator=torch.Generator().manual_seed(seed))
    for how in ({"sampler": "euler"}, {"sampler": "rk4", "source_mel": torch.zeros(2, 3, 4), "k_step": 100}):
        assert sing(0, **how).shape == (2, 3, 4) and torch.equal(sing(0, **how), sing(0, **how))
        assert not torch.equal(sing(0, **how), sing(1, **how))
