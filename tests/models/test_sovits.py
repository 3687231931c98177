"""The whole So-VITS network: keys of its files, conversion, and sizes, against the original."""

import json

import pytest
import torch

from svcnb.config import Config
from svcnb.models.discriminators import Discriminator
from svcnb.models.ready import ready_to_sing
from svcnb.models.sovits import Sovits

from .conftest import close, fill, zero_noise

LAYOUTS = {
    "G_default": {},
    "G_vol_embedding": {"vol_embedding": True},
    "G_no_f0_decoder": {"use_automatic_f0_prediction": False},
    "G_v4.0_256": {"ssl_dim": 256, "gin_channels": 256},
    "G_snake": {"vocoder_name": "nsf-snake-hifigan"},
    "G_transformer_flow": {"use_transformer_flow": True},
    "G_transformer_flow_shared": {"use_transformer_flow": True, "flow_share_parameter": True},
    "G_flow_shared": {"flow_share_parameter": True},
    "G_depthwise": {"use_depthwise_conv": True},
    "G_tiny_template": None,
}


def layout(path):
    stored = json.loads(path.read_text())
    return stored, [(key, tuple(entry["shape"])) for key, entry in stored["keys"].items()]


def shapes(model):
    return [(key, tuple(value.shape)) for key, value in model.state_dict().items()]


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", LAYOUTS)
def test_keys_are_those_of_the_original_in_order(golden, name):
    stored, expected = layout(golden(f"layouts/{name}.json"))
    config = Config.preset("tiny" if LAYOUTS[name] is None else "full").copy_with(model=LAYOUTS[name] or {})
    with torch.device("meta"):
        model = Sovits(config)
    assert shapes(model) == expected
    assert parameters(model) == stored["_parameters"]


@pytest.mark.parametrize("spectral", [False, True])
def test_discriminator_keys(golden, spectral):
    stored, expected = layout(golden(f"layouts/D_{'spectral' if spectral else 'default'}.json"))
    model = Discriminator(spectral)
    assert shapes(model) == expected
    assert parameters(model) == stored["_parameters"]


INFER = {  # name: (changes to the model section, arguments)
    "base": ({}, {}),
    "noise0.8_seed7": ({}, {"noise_scale": 0.8}),
    "vol": ({"vol_embedding": True}, {"volume": "vol"}),
    "vol_model_without_vol": ({"vol_embedding": True}, {}),
    "vol_given_to_plain_model": ({}, {"volume": "vol"}),
    "predict_f0": ({}, {"auto_f0": True}),
    "predict_f0_without_decoder": ({"use_automatic_f0_prediction": False}, {"auto_f0": True}),
    "mix": ({}, {"mix": "mix"}),
    "mix_predict_f0": ({}, {"mix": "mix", "auto_f0": True}),
    "snake": ({"vocoder_name": "nsf-snake-hifigan"}, {}),
    "transformer_flow": ({"use_transformer_flow": True}, {}),
    "transformer_flow_shared": ({"use_transformer_flow": True, "flow_share_parameter": True}, {}),
    "depthwise": ({"use_depthwise_conv": True}, {}),
    "depthwise_shared_vol": (
        {"use_depthwise_conv": True, "flow_share_parameter": True, "vol_embedding": True},
        {"volume": "vol"},
    ),
}


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("name", INFER)
def test_infer(arrays, tiny, name, ready):
    g, (model, arguments) = arrays("infer"), INFER[name]
    model = ready_to_sing(tiny(**model)) if ready else tiny(**model)
    arguments = {"noise_scale": 0.35} | {k: g[v] if isinstance(v, str) else v for k, v in arguments.items()}
    if "mix" not in arguments:
        arguments["speaker"] = g["sid"][0]
    atol = 2e-4 if "predict_f0" in name else 5e-5 if name == "snake" else 2e-5
    seed = 7 if "seed7" in name else 52468
    generator = torch.Generator().manual_seed(seed)
    audio, f0 = model.infer(g["c"], g["f0"], g["uv"], **arguments, generator=generator)
    close(audio, g[f"{name}.audio"], atol)
    close(f0, g[f"{name}.f0"])
    with zero_noise():
        audio, _ = model.infer(g["c"], g["f0"], g["uv"], **arguments)
    close(audio, g[f"{name}.audio_zero_noise"], atol)


FULL = {
    "default": {},
    "vol": {"vol_embedding": True},
    "snake": {"vocoder_name": "nsf-snake-hifigan"},
    "transformer_flow": {"use_transformer_flow": True},
}


@pytest.mark.parametrize("name", FULL)
def test_infer_full_size(arrays, golden, name):
    g = arrays("infer_full_size")
    get = lambda key: g.get(f"{name}.{key}", g.get(key))
    model = fill(Sovits(Config.preset("full").copy_with(model=FULL[name])))
    arguments = dict(speaker=get("sid").view(-1), volume=get("vol") if name == "vol" else None, noise_scale=0.35)
    generator = torch.Generator().manual_seed(52468)
    audio, _ = model.infer(get("c"), get("f0"), get("uv"), **arguments, generator=generator)
    close(audio, get("audio"), 1e-4)
    with zero_noise():
        audio, _ = model.infer(get("c"), get("f0"), get("uv"), **arguments)
    close(audio, get("audio_zero_noise"), 1e-4)


def test_a_mix_of_the_wrong_shape_is_refused(arrays, tiny):
    g = arrays("infer")
    with pytest.raises(ValueError, match=r"one row per frame.*expected \(30, speakers\)"):
        tiny().infer(g["c"], g["f0"], g["uv"], mix=g["mix"][:7])


def test_rates_must_multiply_to_the_hop(tiny_config):
    with pytest.raises(ValueError, match="multiply to 32, but"):
        Sovits(tiny_config.copy_with(model={"upsample_rates": [4, 4, 2, 1]}))


def test_discriminator(arrays):
    g = arrays("discriminator")
    with torch.no_grad():
        real, fake = fill(Discriminator())(g["y"], g["y_hat"])
    for i in range(6):
        close(real.scores[i], g[f"real.{i}"]), close(fake.scores[i], g[f"gen.{i}"])
        assert [list(m.shape) for m in real.maps[i]] == [
            [n for n in row if n] for row in g[f"fmap_real_shape.{i}"].tolist()
        ]
        close(torch.stack([m.abs().mean() for m in real.maps[i]]), g[f"fmap_real_absmean.{i}"])
        close(torch.stack([m.abs().mean() for m in fake.maps[i]]), g[f"fmap_gen_absmean.{i}"])


def test_spectral_discriminator(arrays):
    g, model = arrays("discriminator"), fill(Discriminator(use_spectral_norm=True)).train()
    with torch.no_grad():
        _, fake = model(g["y"], g["y_hat"])
    for i in range(6):
        close(fake.scores[i], g[f"spectral.gen.{i}"], rtol=1e-3)
    after = [key for key in g if key.startswith("spectral.after.")]
    for key in after:
        close(model.state_dict()[key.removeprefix("spectral.after.")], g[key], rtol=1e-3)


def test_lesson_preset_is_a_sovits_in_every_part():
    config = Config.preset("lesson", "lesson", ["a", "b"])
    model = Sovits(config)
    assert {name for name, _ in model.named_children()} >= {
        "emb_g",
        "pre",
        "enc_p",
        "dec",
        "enc_q",
        "flow",
        "f0_decoder",
    }
    units, f0 = torch.randn(1, config.model.ssl_dim, 20), torch.full((1, 20), 220.0)
    audio, _ = model.eval().infer(units, f0, torch.ones(1, 20), speaker=torch.tensor([1]))
    assert audio.shape == (1, 1, 20 * 512)
