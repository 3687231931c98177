"""The commands that export a voice and make its file smaller."""

import json

import pytest
import torch
from typer.testing import CliRunner

from svcnb import cli
from svcnb.checkpoint import load_sovits, read_weights, save_original, save_sovits
from svcnb.portable import Portable


@pytest.fixture
def model(small, tmp_path):
    model, config = small(ssl_dim=64)
    save_sovits(tmp_path / "voice.safetensors", model, config)
    return tmp_path / "voice.safetensors"


def run(*words):
    result = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_export(model, tmp_path):
    lines = run("export", tmp_path / "out", "--model", model)
    assert [line.split(":")[0] for line in lines] == ["encoder.onnx", "f0.onnx", "sovits.onnx", "Written"]
    assert list(Portable.load(tmp_path / "out").speakers) == ["a", "b", "c"]


def test_export_for_moevoicestudio(model, tmp_path):
    lines = run("export", tmp_path / "out", "--model", model, "--moevoicestudio", "anna")
    assert lines[0].startswith("anna_SoVits.onnx: largest difference from torch")
    assert json.loads((tmp_path / "out/anna.json").read_text())["Name"] == "anna"


def test_compress(model, tmp_path):
    line, change = run("compress", model, tmp_path / "small.safetensors", "--half")
    assert int(change.removeprefix("What it changes is ").split(" dB")[0]) > 40
    assert line.startswith(f"Written: {tmp_path / 'small.safetensors'}, 0.")
    assert (tmp_path / "small.safetensors").stat().st_size < 0.55 * model.stat().st_size
    assert list(load_sovits(tmp_path / "small.safetensors")[1].spk) == ["a", "b", "c"]


def test_what_is_shared_is_written_once_in_half_precision_too(small, tmp_path):
    model, config = small(flow_share_parameter=True)
    save_original(tmp_path / "G_1.pth", model, config)
    _, unheard = run("compress", tmp_path / "G_1.pth", tmp_path / "half.pth", "--half")
    assert unheard.startswith("What it changes can be heard only with")
    weights = read_weights(tmp_path / "half.pth")
    first, second = (weights[f"flow.flows.{n}.enc.cond_layer.weight_v"] for n in (0, 2))
    assert first.dtype == torch.float16 and first.data_ptr() == second.data_ptr()
