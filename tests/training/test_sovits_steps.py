"""Training steps against the original's: losses, gradients and weights of the same batch, weights and random draws."""

import json
import math

import pytest
import torch
from safetensors import safe_open

from svcnb.dataset import Batch
from svcnb.models import lora
from svcnb.models.discriminators import Discriminator, Verdicts
from svcnb.models.nsf_hifigan import Generator, silence_hum
from svcnb.models.sovits import Sovits
from svcnb.training import losses
from svcnb.training.loop import accelerator
from svcnb.training.sovits import learning_rate, new_state, train_step

from ..models.conftest import close, fill

NAMES = {"disc": "loss_disc", "gen": "loss_gen", "fm": "loss_fm", "mel": "loss_mel", "kl": "loss_kl", "lf0": "loss_lf0"}


def batch_of(g):
    get = lambda key: g.get(f"in.{key}")
    volume = get("vol")
    wav = get("y")
    return Batch(get("c"), get("f0"), get("uv"), get("spec"), wav, get("sid")[:, 0], get("lengths"), volume)


def norms_of(parameters):
    return torch.tensor([-1.0 if p.grad is None else p.grad.norm().item() for p in parameters])


@pytest.mark.parametrize("case", ["train_base", "train_vol_transformer", "train_snake_nof0"])
def test_steps(arrays, golden, tiny_config, case):
    g = arrays(case)
    with safe_open(golden(f"sovits/{case}.safetensors"), "pt") as file:
        meta = file.metadata()
    names = json.loads(golden("sovits/train_param_names.json").read_text())[case]
    config = tiny_config.copy_with(model=json.loads(meta["model_overrides"]))
    acc = accelerator("fp32", "cpu")
    state = new_state(config, acc)
    state.models["generator"] = fill(state.models["generator"]).train()
    state.models["discriminator"] = fill(state.models["discriminator"]).train()
    for step in range(int(meta["steps"])):
        inputs = g if step == 0 else arrays("train_base_step1_inputs")
        if step and "in.c" not in inputs:
            inputs = {f"in.{key}": value for key, value in inputs.items()}
        torch.manual_seed(int(meta["seed"]) + step)
        parts, norms, skipped = train_step(state, batch_of(inputs), config, acc)
        assert skipped is None
        rtol = 1e-4 if step == 0 else 2e-3
        for name, key in NAMES.items():
            if name in parts:
                close(torch.tensor(parts[name]), g[f"step{step}.{key}"].view(()), rtol=rtol)
        close(torch.tensor(norms["generator"]), g[f"step{step}.grad_norm_g"].view(()), rtol=2e-3)
        close(torch.tensor(norms["discriminator"]), g[f"step{step}.grad_norm_d"].view(()), rtol=2e-3)
        generator = dict(state.models["generator"].named_parameters())
        expected = g[f"step{step}.g_grad_norms"]
        close(norms_of(generator[n] for n in names["g"]), expected, 1e-4 * expected.max(), 2e-3)
    for which, model in (("g", state.models["generator"]), ("d", state.models["discriminator"])):
        weights, norms = dict(model.named_parameters()), g[f"step0.{which}_grad_norms"]
        for i, name in enumerate(names[which]):
            allowed = 2e-6 * weights[name].numel() + 1e-4 * abs(g[f"after.{which}_param_sum"][i])
            if norms[i] < 1e-6 * norms.max():  # a key's bias: no gradient but rounding, whose sign Adam follows
                allowed += 2 * config.train.learning_rate * int(meta["steps"]) * weights[name].numel()
            assert abs(weights[name].sum() - g[f"after.{which}_param_sum"][i]) <= allowed, name


def test_losses(arrays):
    g = arrays("losses")
    maps = lambda side: [[g[f"{side}.{i}.{j}"] for j in range(3)] for i in range(2)]
    real, fake = Verdicts([g["fr.0.0"], g["fr.1.0"]], maps("fr")), Verdicts([g["fg.0.0"], g["fg.1.0"]], maps("fg"))
    close(losses.feature_loss(real, fake), g["fm"])
    close(losses.discriminator_loss(real, fake), g["disc"])
    close(losses.generator_loss(fake), g["gen"])
    close(losses.kl_loss(g["z_p"], g["logs_q"], g["m_p"], g["logs_p"], g["mask"]), g["kl"])


def test_discriminator_losses(arrays):
    g = arrays("discriminator")
    with torch.no_grad():
        real, fake = fill(Discriminator())(g["y"], g["y_hat"])
    close(losses.discriminator_loss(real, fake), g["loss_disc"])
    close(losses.generator_loss(fake), g["loss_gen"])
    close(losses.feature_loss(real, fake), g["loss_fm"])


def test_learning_rate(golden, tiny_config):
    for case in json.loads(golden("sovits/lr_schedule.json").read_text()):
        train = tiny_config.copy_with(
            train={key: case[key] for key in ("learning_rate", "lr_decay", "warmup_epochs")}
        ).train
        for epoch, expected in case["lr_during_epoch"]:
            assert learning_rate(train, epoch) == pytest.approx(expected, rel=1e-9)


def test_multi_resolution_loss_hears_a_wrong_spectrum():
    t = torch.arange(8192) / 44100
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * t)[None]
    assert losses.multi_resolution_loss(tone, tone) == 0
    quieter, higher = 0.9 * tone, 0.5 * torch.sin(2 * torch.pi * 660 * t)[None]
    assert losses.multi_resolution_loss(quieter, tone) < losses.multi_resolution_loss(higher, tone)


def noise(seed: int) -> torch.Tensor:
    """Something in every band."""
    return torch.randn(1, 44100, generator=torch.Generator().manual_seed(seed)) / 3


def test_loudness_loss_is_the_level_by_which_a_sound_is_off():
    sound = noise(0)
    assert losses.loudness_loss(sound, sound, 44100) == 0
    off = lambda gain: losses.loudness_loss(gain * sound, sound, 44100).item()
    assert off(2) == pytest.approx(2 * (1 / 4 + math.log(4) - 1), rel=1e-2)  # as a whole and in its bands
    evenly = math.e * math.log(4) - math.log(4) - 1  # past e
    assert off(1 / 2) == pytest.approx(2 * evenly, rel=1e-2)


def test_loudness_loss_hears_a_band_that_is_too_soft():
    t = torch.arange(8192) / 44100
    pitch, formant = torch.sin(2 * torch.pi * 200 * t)[None], 0.1 * torch.sin(2 * torch.pi * 4500 * t)[None]
    off = lambda gain: losses.loudness_loss(pitch + gain * formant, pitch + formant, 44100).item()
    assert off(1) == 0
    assert off(0.1) > off(0.3) > 0.1  # of the power as a whole it is a hundredth


def test_loudness_loss_is_least_at_the_mean_power_of_what_may_be():
    sound = noise(1)
    powers = torch.tensor([1.0, 1.0, 2.0])  # the median is 1, the mean 4 / 3
    price = lambda power: losses.loudness_loss(
        power**0.5 * sound.expand(3, -1), powers[:, None].sqrt() * sound, 44100
    ).item()
    assert min((1.0, 1.2, 4 / 3, 1.5, 2.0), key=price) == 4 / 3


def test_loud_source_reaches_the_last_stage(tiny_config):
    spread = {}
    for loud in (False, True):
        config = tiny_config.copy_with(train={"clear_start": loud})
        model: Sovits = new_state(config, accelerator("fp32", "cpu")).models["generator"]
        source = model.dec.m_source(torch.full((1, 20), 200.0), model.dec.hop)
        spread[loud] = model.dec.noise_convs[-1](source).std(-1).mean().item()  # along time: not its offset
    assert spread[True] > 3 * spread[False]


def random_batch() -> Batch:
    draw = lambda *shape: torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return Batch(
        draw(2, 24, 20), draw(2, 20).abs() * 300, torch.ones(2, 20), draw(2, 129, 20).abs(), draw(2, 1, 1280),
        torch.tensor([0, 1]), torch.tensor([20, 20]), None,
    )  # fmt: skip


def hum(decoder: Generator) -> float:
    """How much of what does not move leaves an upsampling layer as a pattern."""
    with torch.no_grad():
        grown = [up(torch.ones(1, up.in_channels, 100))[..., 40:-40] for up in decoder.ups]
    return max((x.std(-1) / x.abs().mean()).max().item() for x in grown)


@pytest.mark.parametrize("rank", [0, 1])
def test_no_hum_grows_where_none_may(tiny_config, rank):
    """Neither in the weights nor, where they are adapted, in what is added to them."""
    decoder: Generator = (
        new_state(tiny_config.copy_with(train={"clear_start": True}), accelerator("fp32", "cpu"))
        .models["generator"]
        .dec
    )
    silence_hum(decoder)
    if rank:
        lora.adapt(decoder, rank)
    trained = [weight for weight in decoder.ups.parameters() if weight.requires_grad]
    for _ in range(2):  # one step of low-rank weights leaves the half of them alone that is not zero
        sum((up.weight_v * torch.arange(up.kernel_size[-1])).sum() for up in decoder.ups).backward()
        with torch.no_grad():
            for weight in trained:
                weight.sub_(0.1 * (weight.grad if weight.grad is not None else 0))
    assert hum(decoder) > 1e-2
    silence_hum(decoder)
    assert hum(decoder) < 1e-3


@pytest.mark.parametrize("silent", [True, False])
def test_no_hum_is_kept_by_a_step(tiny_config, silent):
    config = tiny_config.copy_with(train={"clear_start": True, "no_hum": silent})
    state = new_state(config, accelerator("fp32", "cpu"))
    train_step(state, random_batch(), config, accelerator("fp32", "cpu"))
    assert (hum(state.models["generator"].dec) < 1e-3) == silent


def test_prior_share_trains_the_way_of_conversion(tiny_config):
    """Without a KL loss only items decoded from the prior teach the prior anything."""
    for share, learns in ((0.0, False), (0.5, True)):
        changes = {"prior_share": share, "c_kl": 0.0, "clear_start": True}
        config = tiny_config.copy_with(train=changes, model={"use_automatic_f0_prediction": False})
        state = new_state(config, accelerator("fp32", "cpu"))
        train_step(state, random_batch(), config, accelerator("fp32", "cpu"))
        assert (state.models["generator"].pre.weight.grad.abs().max() > 0) == learns
