"""A network as an ONNX graph: traced, written whole, run by onnxruntime, and compared with the network.

A graph is exported with cases: inputs of several lengths, and what the network made of each.

Notebook: 06_mixing_export
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from svcnb.files import whole_file
from svcnb.models.ready import usual_way

OPSET = 17
LENGTHS = 60, 37, 151  # frames of the cases; the graph is traced with the first
LARGEST = 1e-3  # difference that still counts as the same, as a share of full scale
Case = tuple[tuple[torch.Tensor, ...], torch.Tensor]  # inputs, and what the network makes of them


class ExportError(ValueError):
    """A model can not be exported, or the graph is not the network; the message says which."""


@dataclass(frozen=True)
class Parity:
    """How far a graph is from its network: for each number of frames the largest difference.

    It is a share of full scale, which is 1 or, where it is more, the largest value of the network's own output.
    """

    path: Path
    inputs: tuple[str, ...]
    differences: dict[int, float]

    @property
    def worst(self) -> float:
        """The largest of all."""
        return max(self.differences.values())

    def __str__(self) -> str:
        lengths = ", ".join(f"{value:.0e} at {frames} frames" for frames, value in self.differences.items())
        return f"{self.path.name}: largest difference from torch {lengths}"


def export_graph(
    module: nn.Module,
    path: str | Path,
    inputs: tuple[str, ...],
    output: str,
    open_axes: dict[str, tuple[int, ...]],
    case: Callable[[int, int], Case],
) -> Parity:
    """Write a module as ONNX and compare the graph with `case(frames, seed)` at several lengths.

    open_axes: which axes of inputs and output may have any length. Raises ExportError, OSError.
    """
    path = Path(path)
    cases = {frames: case(frames, seed) for seed, frames in enumerate(LENGTHS)}
    write_graph(module, path, inputs, output, open_axes, cases[LENGTHS[0]][0])
    opened = session(path)
    return compared(
        path,
        inputs,
        {frames: (run(opened, inputs, values)[0], expected) for frames, (values, expected) in cases.items()},
    )


def write_graph(module: nn.Module, path: Path, inputs, output: str, open_axes, example) -> None:
    """Trace a module with example inputs into an ONNX file, whole or not at all. Raises ExportError, OSError."""
    axes = {
        name: {axis: f"{name}_{axis}" for axis in open_axes[name]} for name in (*inputs, output) if name in open_axes
    }
    with whole_file(path) as part, torch.no_grad(), warnings.catch_warnings(), _Plainly():
        warnings.simplefilter("ignore")  # of the tracer, on branches that depend on the model alone
        try:
            torch.onnx.export(
                module.eval(), tuple(example), str(part), input_names=list(inputs), output_names=[output],
                dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        except torch.onnx.errors.OnnxExporterError as error:
            raise ExportError(f"{path.name} could not be exported: {str(error).splitlines()[0]}") from error


class _Plainly(TorchFunctionMode):
    """What the tracing exporter lacks (mT, complex numbers) or fixes to one length (unflatten), in words it knows."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function == torch.Tensor.mT.__get__:
            return args[0].transpose(-2, -1)
        if function is torch.Tensor.unflatten:
            x, dim, sizes = args
            return x.reshape(*x.shape[: dim % x.dim()], *sizes, *x.shape[dim % x.dim() + 1 :])
        if function is torch.stft:  # real and imaginary part in a last axis, as view_as_real has them
            return torch.stft(*args, **{**kwargs, "return_complex": False})
        if function is torch.view_as_real:
            return args[0]
        return function(*args, **(kwargs or {}))


def plain(network: nn.Module) -> nn.Module:
    """A copy of a network on the CPU, in float32, without what was done to it for speed."""
    return usual_way(copy.deepcopy(network).eval().float().cpu().requires_grad_(False))


def session(graph: Path | bytes):
    """An onnxruntime session on the CPU, of a file or its content. Raises ExportError where there is no onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        raise ExportError("ONNX models need onnxruntime; install it with pip install 'svcnb[onnx]'.") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(
        graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
    )


def run(opened, names: tuple[str, ...], values: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    """What a session makes of tensors in the order of `names`. Raises ExportError where it can not take them."""
    try:
        return opened.run(None, {name: value.numpy() for name, value in zip(names, values, strict=True)})
    except Exception as error:  # onnxruntime's errors have no class of their own
        shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in zip(names, values, strict=True))
        raise ExportError(f"The graph can not be run with {shapes}: {str(error).splitlines()[0]}") from None


def compared(path: Path, inputs: tuple[str, ...], results: dict[int, tuple[np.ndarray, torch.Tensor]]) -> Parity:
    """How far a graph's results are from its network's, by numbers of frames. Raises ExportError where they differ."""
    differences = {}
    for frames, (found, expected) in results.items():
        expected = expected.numpy()
        if found.shape != expected.shape:
            raise ExportError(f"{path} gives the shape {found.shape}, but its network {expected.shape}.")
        differences[frames] = float(np.abs(found - expected).max() / max(1, np.abs(expected).max()))
    report = Parity(path, inputs, differences)
    if not report.worst < LARGEST:
        raise ExportError(f"The graph is not the network that it was made from. {report}")
    return report


def mel2ph(frames: int, heard: int) -> torch.Tensor:
    """Which of `heard` units each frame hears, (1, frames), counted from 1; 0 is silence."""
    return (torch.arange(frames) * heard // frames + 1)[None]


def gather_units(units: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Units (1, Tc, D) at the places that `mel2ph` says, (1, T, D)."""
    return nn.functional.pad(units, (0, 0, 1, 0))[:, place[0]]
