"""What every export does: open lengths, and a comparison that can fail."""

import pytest
import torch

from svcnb.export import ExportError
from svcnb.export.graph import export_graph


class Double(torch.nn.Module):
    def forward(self, x):
        return 2 * x


class OneLength(torch.nn.Module):
    def forward(self, x):
        return x + torch.arange(int(x.shape[1]))  # int(): the tracer takes it for a constant


def case(frames, seed):
    x = torch.full((1, frames), float(seed))
    return (x,), 2 * x


def test_the_report_tells_the_lengths(tmp_path):
    report = export_graph(Double(), tmp_path / "double.onnx", ("x",), "y", {"x": (1,), "y": (1,)}, case)
    assert report.worst == 0 and len(report.differences) == 3
    assert str(report).startswith("double.onnx: largest difference from torch 0e+00 at 60 frames")


def test_another_network_is_refused(tmp_path):
    other = lambda frames, seed: (case(frames, seed)[0], 2.1 * case(frames, seed)[0][0])
    with pytest.raises(ExportError, match="not the network that it was made from"):
        export_graph(Double(), tmp_path / "double.onnx", ("x",), "y", {"x": (1,), "y": (1,)}, other)


def test_another_shape_is_refused(tmp_path):
    other = lambda frames, seed: (case(frames, seed)[0], torch.zeros(1, frames + 1))
    with pytest.raises(ExportError, match=r"gives the shape \(1, 60\), but its network \(1, 61\)"):
        export_graph(Double(), tmp_path / "double.onnx", ("x",), "y", {"x": (1,), "y": (1,)}, other)


def test_a_fixed_length_is_found_out(tmp_path):
    with pytest.raises(ExportError, match=r"can not be run with x \(1, 37\)"):
        export_graph(OneLength(), tmp_path / "one.onnx", ("x",), "y", {"x": (1,), "y": (1,)}, lambda n, s: (
            (torch.zeros(1, n),), torch.arange(n)[None].float()))  # fmt: skip


def test_what_onnx_lacks_is_named(tmp_path):
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    with pytest.raises(ExportError, match=r"odd.onnx could not be exported: .*bessel_j0"):
        export_graph(Odd(), tmp_path / "odd.onnx", ("x",), "y", {}, case)
    assert not list(tmp_path.iterdir())
