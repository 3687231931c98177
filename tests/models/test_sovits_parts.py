"""Each part of the So-VITS network against what the original's part makes of the same weights, inputs and noise."""

import pytest
import torch

from svcnb.models.nsf_hifigan import SineSource
from svcnb.models.pitch import coarse_f0, log_f0, log_f0_to_hz, normalize_log_f0
from svcnb.models.sovits import frame_mask, slice_frames

from .conftest import close, rule, zero_noise


def test_rule(arrays, tiny):
    weights = tiny().state_dict()
    for key, expected in arrays("rule_check").items():
        assert torch.equal(weights[key], expected), key


@pytest.mark.parametrize("frames", [23, 3, 1, 5])
def test_prior_encoder(arrays, tiny, frames):
    g = {k.split(".", 1)[1]: v for k, v in arrays("text_encoder").items() if k.startswith(f"T{frames}.")}
    model = tiny()
    torch.manual_seed(100 + frames)
    z, m, logs = model.enc_p(g["x"], g["mask"], g["f0_coarse"], noise_scale=0.35)
    close(z, g["z"]), close(m, g["m"]), close(logs, g["logs"])


@pytest.mark.parametrize("variant", ["base", "depthwise"])
def test_posterior_encoder(arrays, tiny, variant):
    g = arrays("posterior_encoder")
    get = lambda name: g.get(f"{variant}.{name}", g.get(name))
    model = tiny(use_depthwise_conv=variant == "depthwise")
    mask = frame_mask(get("lengths"), get("spec").shape[-1])
    close(mask, get("mask"))
    torch.manual_seed(102)
    z, m, logs = model.enc_q(get("spec"), mask, get("g"))
    close(z, get("z")), close(m, get("m")), close(logs, get("logs"))


FLOWS = {
    "residual": {},
    "residual_shared": {"flow_share_parameter": True},
    "residual_depthwise": {"use_depthwise_conv": True},
    "residual_depthwise_shared": {"use_depthwise_conv": True, "flow_share_parameter": True},
    "transformer": {"use_transformer_flow": True},
    "transformer_shared": {"use_transformer_flow": True, "flow_share_parameter": True},
}


@pytest.mark.parametrize("name", FLOWS)
def test_flow(arrays, tiny, name):
    g, flow = arrays("flows"), tiny(**FLOWS[name]).flow
    z, mask, cond = g["z"], g["mask"], g["g"]
    forward = flow(z, mask, cond)
    close(forward, g[f"{name}.forward"])
    close(flow(z, mask, cond, reverse=True), g[f"{name}.reverse"])
    close(flow(forward, mask, cond, reverse=True), z * mask, atol=2e-6)


def test_f0_decoder(arrays, tiny):
    g, model = arrays("f0_decoder"), tiny()
    lf0 = log_f0(g["f0"]).unsqueeze(1)
    close(lf0, g["lf0"])
    close(normalize_log_f0(lf0, g["mask"], g["uv"]), g["norm_lf0"])
    close(normalize_log_f0(lf0, g["mask"], g["uv"], g["random_factor"]), g["norm_lf0_random"])
    close(normalize_log_f0(lf0, g["mask"], g["uv_allunvoiced"]), g["norm_lf0_allunvoiced"])
    close(model.f0_decoder(g["x"], g["norm_lf0"], g["mask"], g["g"]), g["pred_lf0"])
    close(log_f0_to_hz(log_f0(g["f0"])), g["f0"], rtol=1e-5, atol=2e-3)


def test_nan_pitch_is_refused(tiny):
    with pytest.raises(ValueError, match="NaN"):
        normalize_log_f0(torch.full((1, 1, 3), torch.nan), torch.ones(1, 1, 3), torch.ones(1, 3))


@pytest.mark.parametrize("name", ["nsf", "snake"])
def test_decoder(arrays, tiny, name):
    g = arrays("decoder")
    dec = tiny(vocoder_name="nsf-hifigan" if name == "nsf" else "nsf-snake-hifigan").dec
    atol = 5e-5 if name == "snake" else 1e-5
    get = lambda key: g.get(f"{name}.{key}", g.get(key))
    with zero_noise():
        close(dec(get("z"), get("f0"), get("g")), get("audio_zero_noise"), atol)
    torch.manual_seed(108)
    close(dec(get("z"), get("f0"), get("g")), get("audio"), atol)


def test_sine_source(arrays, tiny):
    g, source = arrays("sine_source"), SineSource(44100)
    torch.manual_seed(109)
    sines = lambda f0: source.sines(f0, 512, *source.draw(f0, 512))
    close(sines(g["f0"])[:, ::7], g["sine"])
    with zero_noise():
        close(sines(g["f0"])[:, ::7], g["sine_zero_noise"])
        close(sines(g["long.f0"])[:, ::997], g["long.sine_zero_noise_every_997"], atol=1e-4)


def test_sawtooth_has_every_overtone_and_aliases_little():
    source, f0 = SineSource(44100, sawtooth=True), torch.tensor([[0.0] * 10 + [440.0] * 110])
    given = source.draw(f0, 512)
    waves = source.sines(f0, 512, *given)
    assert torch.equal(waves[..., :9], SineSource(44100).sines(f0, 512, *given))
    assert waves.shape[-1] == 10 and not waves[0, : 10 * 512, 9].any()
    power = torch.fft.rfft(waves[0, -44100:, 9]).abs()  # of a second: bin 440 is the pitch
    overtones = power[440::440].clone()
    close(overtones[:20] * torch.arange(1, 21), overtones[0].expand(20), rtol=0.15, atol=0)
    power[::440] = 0
    assert power.max() < 0.01 * overtones[0]


def test_coarse_f0_and_slices(arrays):
    g = arrays("utilities")
    f0 = g["f0"]
    expected = torch.where(f0 > 1103.1, 255, g["f0_coarse"])  # the original's 0 up there is a slip
    assert torch.equal(coarse_f0(f0), expected.long())
    assert torch.equal(slice_frames(g["x"], g["ids"], 6), g["x_slice"])
    assert torch.equal(slice_frames(g["pitch"], g["ids"], 6), g["pitch_slice"])
    assert coarse_f0(torch.tensor([0.0, 50.0, 1100.0, 2000.0])).tolist() == [1, 1, 255, 255]


def test_layout_rule_is_by_name():
    assert rule("a.weight_g", (2, 1, 1)).min() >= 0.5


def test_slice_frames():
    x = torch.arange(24.0).view(2, 2, 6)
    assert slice_frames(x, torch.tensor([1, 3]), 2).tolist() == [[[1, 2], [7, 8]], [[15, 16], [21, 22]]]
    assert slice_frames(x[:, 0], torch.tensor([0, 4]), 2).tolist() == [[0, 1], [16, 17]]
