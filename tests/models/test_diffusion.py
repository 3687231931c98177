"""Unit2Mel, its denoiser and its training against what the original's parts make of the same weights and noise."""

import json
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from svcnb.config import DiffusionConfig
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.noising import GaussianDiffusion
from svcnb.models.samplers import transfer
from svcnb.models.schedule import linear_betas, noise_schedule
from svcnb.models.wavenet import step_embedding

from .conftest import close, fill


@pytest.fixture(scope="module")
def data(golden):
    return lambda name: load_file(golden(f"diffusion/{name}.safetensors"))


def fill_parameters(model):
    """The golden rule, for parameters alone: the schedule stays as it is computed."""
    kept = {key: value.clone() for key, value in model.named_buffers()}
    fill(model)
    for key, value in model.named_buffers():
        value.copy_(kept[key])
    return model


@pytest.fixture(scope="module")
def tiny(golden):
    stored = json.loads(golden("diffusion/tiny_unit2mel_config.json").read_text())
    data = {"encoder_out_channels": stored.pop("input_channel")}
    mels = stored.pop("out_dims")
    return lambda **model: fill_parameters(
        Unit2Mel(DiffusionConfig.parse({"data": data, "model": stored | model}), mels)
    )


def test_keys_and_weights_are_those_of_the_original(golden, data, tiny):
    state, stored = tiny().state_dict(), json.loads(golden("diffusion/tiny_unit2mel_keys.json").read_text())
    assert {key: list(value.shape) for key, value in state.items()} == stored
    for key, expected in data("tiny_unit2mel_weights").items():
        assert torch.equal(state[key], expected), key


@pytest.mark.parametrize("n_spk", [1, 8])
def test_full_size_keys_in_order(golden, n_spk):
    layouts = json.loads(golden("layouts/diffusion_default.json").read_text())
    stored = next(layout for layout in layouts.values() if layout["args"]["n_spk"] == n_spk)
    with torch.device("meta"):
        model = Unit2Mel(DiffusionConfig.parse({"model": {"n_spk": n_spk}}))
    shapes = [(key, tuple(value.shape)) for key, value in model.state_dict().items()]
    assert shapes == [(key, tuple(entry["shape"])) for key, entry in stored["keys"].items()]
    assert sum(p.numel() for p in model.parameters()) == stored["n_parameters"]


def test_schedules(data):
    for key, expected in data("schedules").items():
        kind, name = key.split(".")
        if kind.startswith("linear") and not name.startswith("spec"):
            betas = linear_betas(int(kind.removeprefix("linear")))
            actual = noise_schedule(betas)[name.removesuffix("64")].to(expected.dtype)
            close(actual, expected, atol=1e-12, rtol=1e-6)


def test_denoiser(data, tiny):
    g, denoiser = data("denoiser"), tiny().decoder.denoise_fn
    close(step_embedding(g["posemb.t"], 16), g["posemb.out"])
    for kind in ("int", "float"):
        said = denoiser(g["denoise.spec"].squeeze(1), g[f"denoise.{kind}.t"], g["denoise.cond"])
        close(said.unsqueeze(1), g[f"denoise.{kind}.out"])
        again = denoiser(g["denoise.spec"].squeeze(1), g[f"denoise.{kind}.t"], denoiser.told(g["denoise.cond"]))
        assert torch.equal(again, said)
    told = denoiser.told(g["denoise.cond"])
    x, skip = denoiser.residual_layers[0](g["layer0.in"], told[0], g["layer0.step"])
    close(x, g["layer0.out"]), close(skip, g["layer0.skip"])


def test_loss(data, tiny):
    g, decoder = data("loss"), tiny().decoder
    mel, noise = g["gt_spec"].mT, g["noise"].squeeze(1)
    close(decoder.norm(mel).unsqueeze(1), g["norm_spec"])
    close(decoder.denorm(decoder.norm(mel)).mT, g["denorm_roundtrip"])
    close(decoder.add_noise(decoder.norm(mel), g["t"], noise).unsqueeze(1), g["q_sample"])
    condition = g["cond"] if g["cond"].shape[1] == 12 else g["cond"].mT
    close(decoder.loss(mel, condition, g["t"], noise), g["loss_l2"][0])


CONDITIONS = {
    "spk1": {"speaker": torch.tensor([1])},
    "spk2_aug": {"speaker": torch.tensor([2]), "semitones": torch.tensor([3.5])},
    "mixdict_0.25of0_0.75of2": {"mix": torch.tensor([[0.25, 0.0, 0.75]])},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_condition(data, tiny, name):
    g = data("unit2mel")
    close(tiny().condition(g["units"], g["f0"], g["volume"], **CONDITIONS[name]).mT, g[f"cond.{name}"])


def test_condition_of_one_speaker_and_of_a_mix_that_moves(data, tiny):
    g = data("unit2mel")
    song = g["units"], g["f0"], g["volume"]
    close(tiny(n_spk=1, use_pitch_aug=False).condition(*song).mT, g["cond.nspk1_noaug"])
    close(tiny().condition(*song, mix=g["mix_frames.weights_T_S"]).mT, g["cond.mix_frames_intended"])
    with pytest.raises(ValueError, match=r"expected \(10, speakers\), got \(7, 3\)"):
        tiny().condition(*song, mix=torch.ones(7, 3))
    with pytest.raises(ValueError, match="3 speakers; say which"):
        tiny().condition(*song)


def test_a_mel_out_of_a_mel(data, tiny):
    g = data("unit2mel")
    get = lambda part: g[f"mel.spk1.ddim_k100_x20.{part}"]
    song = g["units"], g["f0"], g["volume"], torch.tensor([1])
    with patch("torch.randn", lambda shape, **_: get("noise0").view(shape)):
        mel = tiny()(*song, source_mel=get("gt"), k_step=100, sampler="ddim", speedup=20)
    close(mel, get("out"), atol=1e-4)


def test_noise_comes_from_the_generator_alone(data, tiny):
    g, model = data("unit2mel"), tiny()
    song = g["units"], g["f0"], g["volume"], torch.tensor([1])
    seeded = lambda seed: torch.Generator().manual_seed(seed)
    mels = [
        model(*song, sampler="ddpm", k_step=20, source_mel=torch.zeros(1, 10, 8), generator=seeded(s))
        for s in (1, 1, 2)
    ]
    assert torch.equal(mels[0], mels[1]) and not torch.equal(mels[0], mels[2])
    losses = [model.loss(*song[:3], torch.zeros(1, 10, 8), song[3], generator=seeded(s)).item() for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_every_step_that_is_in_use_is_trained():
    steps = GaussianDiffusion(None, 40, k_step=6).draw_steps(600, "cpu", torch.Generator().manual_seed(0))
    assert sorted(set(steps.tolist())) == list(range(6)) and steps.bincount().min() > 60


def test_training_steps(data, tiny):
    g, model = data("train_steps"), tiny().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    for i, expected in enumerate(g["losses"]):
        get = lambda part, i=i: g[f"step{i}.{part}"]
        with (
            patch("torch.randint", lambda *_, t=get("t"), **__: t),
            patch("torch.randn", lambda shape, noise=get("noise"), **_: noise.view(shape)),
        ):
            batch = get("units"), get("f0"), get("volume"), get("mel"), get("spk_id"), get("aug_shift")
            loss = model.loss(*batch)
        close(loss.double(), expected)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, value in model.named_parameters():
        close(value.detach(), g[f"after.{key}"], atol=1e-4)


def test_parts_of_the_exported_graphs(data, tiny):
    g, model = data("onnx_parts"), tiny()
    units = torch.nn.functional.pad(g["hubert"], (0, 0, 1, 0))[:, g["mel2ph"][0]]  # counted from 1, 0 is silence
    condition = model.condition(units, g["f0"][..., None], g["volume"][..., None], mix=g["spk_mix"])
    close(condition, g["encoder_out"])
    kept = model.decoder.alphas_cumprod
    for pair in ("400_390", "90_0", "990_890"):
        now, then = (kept[int(step)].item() for step in pair.split("_"))
        close(transfer(g["x"], g["noise_pred"], now, then), g[f"pred.{pair}"])
    x = g["x"].squeeze(1)
    close(model.decoder.denorm(x), g["after"])
    close(model.decoder.denoise_fn(x, torch.tensor([37]), g["denoise.cond"]), g["denoise.t37"].squeeze(1))
    with patch("torch.randn", lambda shape, **_: x.view(shape)), torch.inference_mode():
        mel = model.decoder.sample(g["denoise.cond"], sampler="pndm", speedup=100)
    expected = g["combined_plms_1000_by_100"]
    close(mel, expected, atol=1e-4 * expected.abs().max().item())


def test_steps_without_training_are_refused(data, tiny):
    g, model = data("unit2mel"), tiny(k_step_max=200)
    song = g["units"], g["f0"], g["volume"], torch.tensor([0])
    with pytest.raises(ValueError, match="cannot begin with noise; give it a source_mel"):
        model(*song)
    with pytest.raises(ValueError, match="k_step is 201, but this model was trained on 1 to 200"):
        model(*song, source_mel=torch.zeros(1, 10, 8), k_step=201)
    assert [tiny(k_step_max=k).k_step_max for k in (0, -1, 1000, 2000, 999)] == [1000, 1000, 1000, 1000, 999]
