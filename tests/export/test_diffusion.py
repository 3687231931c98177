"""The diffusion's graphs and the vocoder's, against the networks and against what the original's parts gave."""

import json
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file

from svcnb.checkpoint import new_vocoder
from svcnb.config import DiffusionConfig, VocoderConfig
from svcnb.convert import Converter
from svcnb.export import ExportError, export_diffusion, export_moevoicestudio, export_vocoder
from svcnb.models.diffusion import Unit2Mel
from tests.models.test_diffusion import fill_parameters

from .conftest import alive


def run(path, **given):
    return onnxruntime.InferenceSession(path).run(None, given)[0]


@pytest.fixture
def golden_graphs(golden, tmp_path):
    """The graphs of the original's tiny model, by their endings."""
    stored = json.loads(golden("diffusion/tiny_unit2mel_config.json").read_text())
    data, mels = {"encoder_out_channels": stored.pop("input_channel")}, stored.pop("out_dims")
    model = fill_parameters(Unit2Mel(DiffusionConfig.parse({"data": data, "model": stored}), mels))
    reports = export_diffusion(model, tmp_path, "tiny")
    return {report.path.stem.removeprefix("tiny_"): report.path for report in reports}


def test_a_rectified_flow_is_refused(tmp_path):
    small = {"type": "RectifiedFlow", "n_layers": 1, "n_chans": 8, "n_hidden": 4}
    with pytest.raises(ExportError, match="no steps of PNDM"):
        export_diffusion(Unit2Mel(DiffusionConfig.parse({"model": small})), tmp_path, "a")
    assert not list(tmp_path.iterdir())


def test_golden_parts(golden, golden_graphs):
    data = load_file(golden("diffusion/onnx_parts.safetensors"))
    encoder = {name: data[name] for name in ("hubert", "mel2ph", "f0", "volume", "spk_mix")}
    close = lambda found, name: np.testing.assert_allclose(found, data[name], atol=1e-5, rtol=1e-5)
    close(run(golden_graphs["encoder"], **encoder), "encoder_out")
    step = np.array([37])
    found = run(golden_graphs["denoise"], noise=data["x"], time=step, condition=data["denoise.cond"])
    close(found, "denoise.t37")
    for now, then in ((400, 390), (90, 0), (990, 890)):
        given = {"noise": data["x"], "noise_pred": data["noise_pred"]}
        found = run(golden_graphs["pred"], **given, time=np.array([now]), time_prev=np.array([then]))
        close(found, f"pred.{now}_{then}")
    close(run(golden_graphs["after"], x=data["x"]), "after")


def small_diffusion(speakers):
    config = DiffusionConfig.preset("lesson", list("abc")[:speakers])
    config = config.copy_with(model={"n_layers": 2, "n_chans": 16, "n_hidden": 12}, data={"encoder_out_channels": 10})
    return alive(Unit2Mel(config, mels=8))


@pytest.mark.parametrize("speakers", [1, 3])
def test_graphs_and_network_are_the_same(tmp_path, speakers):
    reports = export_diffusion(small_diffusion(speakers), tmp_path, "d")
    assert [report.path.name for report in reports] == [
        "d_encoder.onnx", "d_denoise.onnx", "d_pred.onnx", "d_after.onnx",
    ]  # fmt: skip
    assert all(report.worst < 1e-5 for report in reports)
    mix = ["spk_mix"] if speakers > 1 else []
    assert list(reports[0].inputs) == ["hubert", "mel2ph", "f0", "volume", *mix]


def test_moevoicestudio_gets_all_five(small, tmp_path):
    model, config = small()
    second = SimpleNamespace(model=small_diffusion(3), join=lambda config: None, numbers={0: 2, 1: 1, 2: 0})
    converter = Converter(model, config, SimpleNamespace(name="none", dim=10), "cpu", diffusion=second)
    reports = export_moevoicestudio(converter, tmp_path, "anna")
    names = ["SoVits", "encoder", "denoise", "pred", "after"]
    assert [report.path for report in reports] == [tmp_path / f"anna/anna_{name}.onnx" for name in names]


@pytest.mark.parametrize("log10", [False, True])
def test_vocoder(tmp_path, log10):
    config = VocoderConfig(
        sampling_rate=6400, num_mels=8, hop_size=64, n_fft=256, win_size=256, fmin=40, fmax=3000, resblock="1",
        upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], upsample_initial_channel=16,
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]],
    )  # fmt: skip
    voice, mel = export_vocoder(alive(new_vocoder(config, log10)), tmp_path)
    assert (voice.path.name, mel.path.name) == ("vocoder.onnx", "vocoder_mel.onnx")
    assert voice.worst < 1e-5 and mel.worst < 1e-5
