"""What ours is measured beside gives the same results: as ours, and as the original's own."""

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from benchmarks import plain
from benchmarks.training import batch
from svcnb.models.ready import ready_to_sing
from svcnb.models.sovits import Sovits
from svcnb.training.loop import accelerator
from svcnb.training.sovits import new_state, train_step

from ..models.conftest import arrays, close, fill, tiny, tiny_config  # noqa: F401
from ..training.conftest import small_config
from ..training.test_sovits_steps import NAMES, batch_of

KINDS = {"base": {}, "snake": {"vocoder_name": "nsf-snake-hifigan"}, "transformer_flow": {"use_transformer_flow": True}}


@pytest.mark.parametrize("name", KINDS)
def test_it_sings_as_the_original_does(arrays, tiny, name):  # noqa: F811
    g, model = arrays("infer"), plain.plain(tiny(**KINDS[name]))
    generator = torch.Generator().manual_seed(52468)
    audio, _ = model.infer(g["c"], g["f0"], g["uv"], g["sid"][0], noise_scale=0.35, generator=generator)
    close(audio, g[f"{name}.audio"], 5e-5)


def test_its_training_step_is_the_originals(arrays, golden, tiny_config):  # noqa: F811
    g = arrays("train_base")
    with safe_open(golden("sovits/train_base.safetensors"), "pt") as file:
        seed = int(file.metadata()["seed"])
    ours = new_state(tiny_config, accelerator("fp32", "cpu"))
    for model in ours.models.values():
        fill(model).train()
    torch.manual_seed(seed)
    parts, norms = plain.train_step(plain.plain_state(ours, tiny_config), batch_of(g), tiny_config)
    for name, key in NAMES.items():
        close(torch.tensor(parts[name]), g[f"step0.{key}"].view(()))
    close(torch.tensor(norms["generator"]), g["step0.grad_norm_g"].view(()), rtol=2e-3)
    close(torch.tensor(norms["discriminator"]), g["step0.grad_norm_d"].view(()), rtol=2e-3)


@pytest.mark.parametrize("name", KINDS)
def test_it_sings_as_ours_does(name):
    config = small_config().copy_with(model=KINDS[name] | {"sawtooth": False})
    model = Sovits(config).eval()
    torch.nn.init.normal_(model.dec.conv_post.weight_g)
    f0 = torch.linspace(0, 900, 30)[None].clamp(min=0) * (torch.arange(30) > 3)
    how = lambda: dict(speaker=torch.tensor([1]), generator=torch.Generator().manual_seed(1))
    units, voiced = torch.randn(1, config.model.ssl_dim, 30), (f0 > 0).float()
    expected, _ = plain.plain(model).infer(units, f0, voiced, **how())
    assert expected.std() > 1e-3
    close(model.infer(units, f0, voiced, **how())[0], expected, 1e-5)
    close(ready_to_sing(model).infer(units, f0, voiced, **how())[0], expected, 1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_its_training_step_is_ours(name):
    config = small_config().copy_with(
        model=KINDS[name] | {"p_dropout": 0.0, "sawtooth": False},
        train={"c_stft": 0, "c_level": 0, "prior_share": 0, "no_hum": False},
    )
    acc = accelerator("fp32", "cpu")
    ours, clips = new_state(config, acc), batch(config, 40, 2)
    theirs = plain.plain_state(ours, config)
    for _ in range(2):  # the second sees what the first has learnt
        torch.manual_seed(3)
        parts, norms, _ = train_step(ours, clips, config, acc)
        torch.manual_seed(3)
        plain_parts, plain_norms = plain.train_step(theirs, clips, config)
        for part, value in plain_parts.items():
            assert value == pytest.approx(parts[part], rel=1e-4, abs=1e-6), part
        assert plain_norms == pytest.approx(norms, rel=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 4, 5, 9])
def test_scores_by_distance_and_by_frame(frames):
    x = torch.randn(3, frames, frames)
    wide = plain._by_distance(x)
    assert torch.equal(plain._by_frame(wide), x)
    for i in range(frames):
        assert torch.equal(wide[:, i], F.pad(x[:, i], (frames - 1 - i, i)))
