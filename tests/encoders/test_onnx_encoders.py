"""ONNX encoders: graphs exported from our own torch networks give what the networks give; others are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from svcnb import encoders
from svcnb.config import UNITS_DIM
from svcnb.encoders import EncoderError
from svcnb.encoders.dphubert import Pruned

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
NAMES = [name for name in encoders.names() if name.endswith("-onnx")]


class Graph(nn.Module):
    """What the original's graphs are: (1, 1, N) in, (1, T, D) out; HuBERT-Soft pads inside."""

    def __init__(self, network, dim, padding):
        super().__init__()
        self.network, self.padding = network, padding
        self.projection = nn.Linear(16, dim)

    def forward(self, source):
        x = F.pad(source, (self.padding, self.padding))
        for layer in self.network.feature_extractor.conv_layers:
            x = layer(x)
        return self.projection(self.network(x.transpose(1, 2)))


@pytest.fixture(scope="module")
def graph(tiny_pruned, tmp_path_factory):
    """A network and the path of its graph, by the width and padding of its units."""
    folder, made = tmp_path_factory.mktemp("onnx"), {}

    def of(name):
        dim, padding = UNITS_DIM[name], 40 if name == "hubertsoft-onnx" else 0
        if (dim, padding) not in made:
            torch.manual_seed(dim + padding)
            network = Graph(Pruned(tiny_pruned), dim, padding).eval()
            made[dim, padding] = network, export(network, folder / f"{dim}-{padding}.onnx")
        return made[dim, padding]

    return of


def export(network, path, example=None, names=("source", "embed"), axes=None):
    example = torch.randn(1, 1, 16000) if example is None else example
    axes = {"source": {2: "samples"}, "embed": {1: "frames"}} if axes is None else axes
    torch.onnx.export(
        network, (example,), str(path), input_names=names[:1], output_names=names[1:], dynamic_axes=axes, dynamo=False
    )
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_units_are_those_of_the_network(graph, name):
    network, path = graph(name)
    encoder = encoders.get(name, path, "cpu")
    wav = 0.1 * torch.randn(20001, generator=torch.Generator().manual_seed(1))
    units = encoder.units(wav.numpy())
    assert units.shape == (62, UNITS_DIM[name])
    with torch.no_grad():
        assert torch.allclose(units, network(wav[None, None])[0], atol=1e-5)
    assert [len(x) for x in encoder.units_batch([wav, wav[:8000]])] == [62, 25 if "soft" in name else 24]


@pytest.mark.filterwarnings("ignore")
def test_a_graph_of_another_is_refused(graph):
    with pytest.raises(EncoderError, match="256 values, but vec768l12-onnx has 768"):
        encoders.get("vec768l12-onnx", graph("vec256l9-onnx")[1], "cpu")
    with pytest.raises(EncoderError, match=r"shape \(1, 50, 256\), not \(1, 49, D\)"):
        encoders.get("vec256l9-onnx", graph("hubertsoft-onnx")[1], "cpu")


class ChannelsFirst(nn.Module):
    def forward(self, source):
        return source[:, :, :320].transpose(1, 2) * torch.ones(49)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("network", "example", "message"),
    [
        (ChannelsFirst(), torch.randn(1, 1, 16000), r"shape \(1, 320, 49\), not \(1, 49, D\)"),
        (nn.Linear(16000, 4), torch.randn(1, 16000), r"wants source tensor\(float\) \[1, 16000\]"),
        (nn.Linear(8000, 4), torch.randn(1, 1, 8000), "can not hear"),
    ],
)
def test_a_graph_of_the_wrong_shape_is_refused_in_a_sentence(tmp_path, network, example, message):
    path = export(network, tmp_path / "other.onnx", example, axes={})
    with pytest.raises(EncoderError, match=message) as error:
        encoders.get("vec768l12-onnx", path, "cpu")
    assert "\n" not in str(error.value)


def test_what_is_no_graph_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.onnx").write_text("this is no graph")
    with pytest.raises(EncoderError, match="not a readable ONNX graph"):
        encoders.get("vec768l12-onnx", tmp_path / "text.onnx", "cpu")
    with pytest.raises(EncoderError, match="There is no file"):
        encoders.get("vec768l12-onnx", tmp_path / "none.onnx", "cpu")
