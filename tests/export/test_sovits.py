"""So-VITS graphs: equal to the network at several lengths, whatever it is made of, and to the original's."""

import json
import math
import zlib
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.export import export_moevoicestudio, export_onnx
from svcnb.export.sovits import SovitsGraph
from svcnb.models.ready import ready_to_sing
from svcnb.models.sovits import Sovits

from .conftest import SPEAKERS

EXACT = 1e-5  # far below what is heard, far above rounding


def ports(path):
    session = onnxruntime.InferenceSession(path)
    return [port.name for port in session.get_inputs()], [port.name for port in session.get_outputs()]


@pytest.mark.parametrize(
    ("mix", "settings"),
    [
        (False, {}),
        (True, {"vol_embedding": True, "sawtooth": True}),
        (False, {"vocoder_name": "nsf-snake-hifigan", "resblock": "2"}),
        (True, {"use_transformer_flow": True, "n_layers_trans_flow": 1}),
        (True, {"use_depthwise_conv": True, "flow_share_parameter": True}),
    ],
    ids=["plain", "volume, sawtooth", "snake", "transformer flow", "shared depthwise flow"],
)
def test_graph_and_network_are_the_same(small, tmp_path, mix, settings):
    model, _ = small(**settings)
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    report = export_onnx(model, tmp_path / "voice.onnx", speaker_mix=mix)
    assert report.worst < EXACT and len(report.differences) == 3
    volume = ["vol"] if settings.get("vol_embedding") else []
    assert list(report.inputs) == ["c", "f0", "mel2ph", "uv", "noise", "sid", "phase", "source_noise", *volume]
    assert ports(tmp_path / "voice.onnx") == (list(report.inputs), ["audio"])
    assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())


def test_a_voice_made_ready_to_sing(small, tmp_path):
    model, _ = small(vocoder_name="nsf-snake-hifigan")
    ready_to_sing(model)
    model.dec.window = 16 * 100
    assert export_onnx(model, tmp_path / "voice.onnx").worst < EXACT
    assert model.dec.window and model.dec.snake_post.fused


def test_the_mix_may_be_of_some_speakers(small, tmp_path):
    model, _ = small()
    graph = SovitsGraph(model, True, [2, 0])
    assert graph.case(20, 0)[0][5].shape == (20, 2)
    assert export_onnx(model, tmp_path / "voice.onnx", speaker_mix=True, speakers=[2, 0]).worst < EXACT


@pytest.mark.parametrize("way", ["single", "mix"])
def test_golden_core(golden, way):
    given = load_file(golden("inference/onnx_vits_core.safetensors"))
    settings = json.loads(golden("inference/onnx_vits_core_config.json").read_text())
    model = Sovits(core_config(settings)).eval()
    for key, tensor in model.named_parameters():
        scale = 1 / math.sqrt(math.prod(tensor.shape[1:])) if tensor.dim() > 1 else 0.1
        values = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tensor.shape) * scale
        tensor.data.copy_(torch.from_numpy(values))
    graph, seen = SovitsGraph(model, way == "mix"), {}
    graph.model.dec.forward = lambda z, f0, g, given: seen.update(z=z, g=g)
    parts = [given[name] for name in ("c", "f0", "mel2ph", "uv", "noise", f"sid_{way}")]
    graph(*parts, None, None, given["vol"])
    torch.testing.assert_close(seen["z"], given[f"{way}.vocoder_input"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen["g"], given[f"{way}.vocoder_g"], atol=1e-4, rtol=1e-4)


def core_config(settings):
    """The config of the golden graph, from its constructor's arguments."""
    settings = dict(settings)
    bins, segment = settings.pop("spec_channels"), settings.pop("segment_size")
    tree = Config.preset("tiny", "vec768l12", SPEAKERS)
    hop = int(np.prod(settings["upsample_rates"]))
    tree = tree.copy_with(data={"filter_length": 2 * (bins - 1), "hop_length": hop})
    return tree.copy_with(
        train={"segment_size": segment * hop},
        model={**settings, "vocoder_name": "nsf-hifigan", "use_depthwise_conv": False, "flow_share_parameter": False},
    )


def heard(model, config, **others):
    """A Converter around a small model, which needs no real encoder to be exported for MoeVoiceStudio."""
    return Converter(model, config, SimpleNamespace(name="none", dim=10), "cpu", **others)


@pytest.mark.parametrize("speakers", [1, 3])
def test_moevoicestudio(small, tmp_path, speakers):
    model, config = small(vol_embedding=speakers > 1)
    config.spk = {name: number for number, name in enumerate(SPEAKERS[:speakers])}
    (report,) = export_moevoicestudio(heard(model, config), tmp_path, "anna")
    assert report.path == tmp_path / "anna/anna_SoVits.onnx" and report.worst < EXACT
    volume = ["vol"] if speakers > 1 else []
    assert ports(report.path) == (["c", "f0", "mel2ph", "uv", "noise", "sid", *volume], ["audio"])
    assert json.loads((tmp_path / "anna.json").read_text()) == {
        "Folder": "anna", "Name": "anna", "Type": "SoVits", "Rate": 6400, "Hop": 64, "Hubert": "vec-10-layer-9",
        "SoVits4": True, "SoVits3": False, "CharaMix": speakers > 1, "Volume": bool(volume), "HiddenSize": 10,
        "Characters": SPEAKERS[:speakers], "Cluster": "",
    }  # fmt: skip


def test_moevoicestudios_graph_draws_anew(small, tmp_path):
    model, config = small()
    (report,) = export_moevoicestudio(heard(model, config), tmp_path, "anna")
    session = onnxruntime.InferenceSession(report.path)
    values, _ = SovitsGraph(model, True).case(25, 0)
    given = dict(zip(report.inputs, (x.numpy() for x in values), strict=False))
    one, other = (session.run(None, given)[0] for _ in range(2))
    assert one.shape == (1, 1, 25 * 64) and not np.allclose(one, other, atol=1e-4)
