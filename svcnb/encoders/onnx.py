"""Speech encoders as ONNX graphs: the original's five `*-onnx` names.

A graph hears (1, 1, N) and gives (1, T, D); what is inside is its own affair.

Notebook: 02_features
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from svcnb.encoders.base import RATE, Encoder, EncoderError, pick_device


class Onnx(Encoder):
    """A graph in onnxruntime, which gets its sounds one by one."""

    batch_frames = 0

    def __init__(self, session: Any, dim: int, overhang: int):
        super().__init__(dim, "cpu")  # the session moves what it needs to its own device
        self.session = session
        self.overhang = overhang

    def encode(self, wavs: list[torch.Tensor], survey: Any = None) -> list[torch.Tensor]:
        return [torch.from_numpy(_run(self.session, wav.numpy())[0]) for wav in wavs]


def load(path: str | Path, device: str = "auto", overhang: int = 80) -> Onnx:
    """Open a graph; overhang: samples that its last frame needs beyond a whole number of hops. Raises EncoderError."""
    session = _open(path, pick_device(device))
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 3:
        described = ", ".join(f"{x.name} {x.type} {x.shape}" for x in inputs)
        raise EncoderError(f"{path} is not a speech encoder: it wants {described}, not one sound of shape (1, 1, N).")
    try:
        units = _run(session, np.zeros(RATE, np.float32))
    except Exception as error:  # onnxruntime's errors have no class of their own
        raise EncoderError(f"{path} can not hear a sound of shape (1, 1, N): {_first_line(error)}") from None
    frames = (RATE - overhang) // 320
    if units.ndim != 3 or units.shape[:2] != (1, frames):
        raise EncoderError(
            f"{path} is not this speech encoder: for one second of sound its {outputs[0].name} has the shape "
            f"{units.shape}, not (1, {frames}, D)."
        )
    return Onnx(session, units.shape[2], overhang)


def _open(path: str | Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise EncoderError("ONNX encoders need onnxruntime; install svcnb with its extra `onnx`.") from None
    if not Path(path).is_file():
        raise EncoderError(f"There is no file {path}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no class of their own
        raise EncoderError(f"{path} is not a readable ONNX graph: {_first_line(error)}") from None


def _run(session: Any, wav: np.ndarray) -> np.ndarray:
    return session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: wav[None, None]})[0]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
