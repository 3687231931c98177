"""Pitch by a network: audio at 16 kHz, 100 frames per second, long recordings window by window.

Notebook: 02_features
"""

from abc import abstractmethod
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torchaudio.transforms import Resample

from svcnb.f0.postprocess import resize_nearest
from svcnb.f0.predictor import F0Error, Predictor
from svcnb.quick import quicken

RATE = 16000  # samples per second that the networks were trained on
HOP = 160  # samples from frame to frame
WINDOW, OVERLAP = 64, 8  # s; both are whole numbers of every network's coarsest frames (32 x 10 ms)


class NeuralPredictor(Predictor):
    """A network and the frame of work around it: subclasses load it and turn 16 kHz audio into pitch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        best = "cuda" if torch.cuda.is_available() else "cpu"
        self.place = torch.device(best if self.device == "auto" else self.device)
        self.narrow = torch.bfloat16 if self.place.type == "cpu" else torch.float16
        self.net = quicken(self.load().to(self.place).eval())
        self.to_16k = Resample(self.sample_rate, RATE, lowpass_filter_width=128).to(self.place)

    @abstractmethod
    def load(self) -> torch.nn.Module:
        """The network with its weights."""

    @abstractmethod
    def pitch(self, wav: torch.Tensor) -> np.ndarray:
        """Pitch (N // 160 + 1,) in Hz, 0 where unvoiced, of 16 kHz audio (N,) on the network's device."""

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hz = np.concatenate(list(self.windows(wav)))
        return hz, np.arange(len(hz)) * HOP / RATE

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        return resize_nearest(self.pitch(self.resample(wav)), frames)

    def windows(self, wav: np.ndarray) -> Iterator[np.ndarray]:
        """Pitch of one window after another, without the overlaps, so that memory does not grow with the recording."""
        step, margin = WINDOW - 2 * OVERLAP, OVERLAP * RATE // HOP
        last = max(0, -(-(len(wav) / self.sample_rate - WINDOW) // step))  # index of the window that reaches the end
        for k in range(int(last) + 1):
            start = k * step * self.sample_rate
            hz = self.pitch(self.resample(wav[start : start + WINDOW * self.sample_rate]))
            yield hz[margin * (k > 0) : len(hz) if k == last else margin + step * RATE // HOP]

    def precision(self) -> torch.autocast:
        """What a network computes within: float32, or with `half` the `narrow` type where that does no harm."""
        return torch.autocast(self.place.type, self.narrow, enabled=self.half)

    @torch.inference_mode()
    def resample(self, wav: np.ndarray) -> torch.Tensor:
        """Audio (N,) at 16 kHz on the network's device."""
        return self.to_16k(torch.as_tensor(wav, dtype=torch.float32, device=self.place))


def weights_in(package: str, file: str, pip_name: str) -> Path:
    """Path of a weights file that an installed package brings; its code is not imported."""
    spec = find_spec(package)
    path = spec and Path(spec.origin).parent / file
    if not path or not path.exists():
        raise F0Error(f"The weights {Path(file).name} come with a package that is not here: pip install {pip_name}")
    return path


def load_state(net: torch.nn.Module, state: dict[str, torch.Tensor], what: str) -> torch.nn.Module:
    """Fill a network with exactly these weights, as float32; raises F0Error when they belong to another network."""
    own = net.state_dict()
    wrong = [key for key in own if key not in state or state[key].shape != own[key].shape]
    wrong += [key for key in state if key not in own]
    if wrong:
        raise F0Error(f"This is no {what} file: {len(wrong)} of its tensors do not fit, the first is {wrong[0]!r}.")
    net.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()})
    return net
