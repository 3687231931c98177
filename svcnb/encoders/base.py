"""What all speech encoders share: checking the sound, windows, batches, and loading weights strictly.

Notebook: 02_features
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from svcnb.encoders.windows import plan

RATE = 16000  # Hz that every encoder hears
HOP = 320  # samples of that for one frame of units
MINIMUM = 400  # samples for one frame


class EncoderError(ValueError):
    """A speech encoder, its file or its input is not usable; the message says what to do."""


class Encoder(ABC):
    """A speech encoder: a family says how a batch of sounds is encoded; windows and checks are the same for all.

    name, dim: what it is called, and how many values a frame of its units has. half: compute in half precision
    (float16 on a GPU, bfloat16 on a CPU), which is so on a GPU unless set to False.
    """

    name: str
    dim: int
    overhang = 80  # samples that the last frame needs beyond its hop
    window, margin = 1500, 250  # frames that are heard at once, and of them as context on either side
    batch_frames = 3000  # frames of padded sound in one batch

    def __init__(self, dim: int, device: str = "auto"):
        self.dim = dim
        self.device = pick_device(device)
        self.half = self.device.type == "cuda"

    @abstractmethod
    def encode(self, wavs: list[torch.Tensor], survey: Any = None) -> list[torch.Tensor]:
        """Encode sounds (N,) on the device into units (T, D); survey: what `survey` found out about the whole."""

    def condition(self, wav: torch.Tensor) -> torch.Tensor:
        """Prepare a whole sound (N,) before it is cut into windows."""
        return wav

    def survey(self, wav: torch.Tensor) -> Any:
        """What a window must know of the whole sound: nothing, for most."""
        return None

    def frames(self, samples: int) -> int:
        """Frames of units that a conditioned sound of so many samples gives."""
        return (samples - self.overhang) // HOP

    def units(self, wav16k: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Units (T, D), float32 on the CPU, of a mono sound (N,) at 16 kHz. Raises EncoderError."""
        return torch.cat(list(self.stream(wav16k)))

    def stream(self, wav16k: np.ndarray | torch.Tensor) -> Iterator[torch.Tensor]:
        """Units of a sound of any length in consecutive pieces (t, D), each made from one window of it."""
        return self._windows(self._prepare(wav16k))

    def units_batch(self, wavs: Iterable[np.ndarray | torch.Tensor]) -> list[torch.Tensor]:
        """Units of several sounds, in their order; sounds of about the same length share a batch."""
        prepared = [self._prepare(wav) for wav in wavs]
        lengths = [self.frames(len(wav)) for wav in prepared]
        units = {i: torch.cat(list(self._windows(prepared[i]))) for i, n in enumerate(lengths) if n > self.window}
        for batch in _batches({i: n for i, n in enumerate(lengths) if n <= self.window}, self.batch_frames):
            units.update(zip(batch, self._encode([prepared[i] for i in batch]), strict=True))
        return [units[i] for i in range(len(prepared))]

    @torch.no_grad()
    def _prepare(self, wav16k: np.ndarray | torch.Tensor) -> torch.Tensor:
        wav = torch.as_tensor(np.require(wav16k, requirements="CW") if isinstance(wav16k, np.ndarray) else wav16k)
        if wav.ndim != 1:
            raise EncoderError(f"An encoder hears one channel, but this sound has the shape {tuple(wav.shape)}.")
        if not wav.is_floating_point() or not torch.isfinite(wav).all():
            raise EncoderError("An encoder hears decimal numbers from -1 to 1, but this sound holds others.")
        if len(wav) < MINIMUM:
            raise EncoderError(
                f"This sound has {len(wav)} samples; an encoder needs at least {MINIMUM}, which is 25 ms."
            )
        return self.condition(wav.float().to(self.device))

    @torch.no_grad()
    def _windows(self, wav: torch.Tensor) -> Iterator[torch.Tensor]:
        frames = self.frames(len(wav))
        if frames <= self.window:
            yield self._encode([wav])[0]
            return
        survey = self.survey(wav)
        for part in plan(frames, self.window, self.margin):
            piece = wav[part.start * HOP : part.end * HOP + self.overhang]
            units = self._encode([piece], survey)[0]
            yield units[part.keep_start - part.start : part.keep_end - part.start]

    @torch.no_grad()
    def _encode(self, wavs: list[torch.Tensor], survey: Any = None) -> list[torch.Tensor]:
        precision = torch.bfloat16 if self.device.type == "cpu" else torch.float16
        with torch.autocast(self.device.type, precision, enabled=self.half):
            return [units.float().cpu() for units in self.encode(wavs, survey)]


def pick_device(device: str) -> torch.device:
    """The device of a name; "auto" is the GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)


def tensors(state: Any, path: str | Path, kind: str) -> dict[str, torch.Tensor]:
    """Tensors of a state dict, by name. Raises EncoderError, naming the kind of file wanted, where there are none."""
    found = state.items() if isinstance(state, dict) else ()
    found = {key: value for key, value in found if isinstance(key, str) and isinstance(value, torch.Tensor)}
    if not found:
        raise EncoderError(f"{path} is not a {kind} checkpoint: its weights are not where such a file has them.")
    return found


def build(make: Callable[[], nn.Module], weights: dict[str, torch.Tensor], path: str | Path) -> nn.Module:
    """A float32 network in eval mode, its every tensor from the file. Raises EncoderError naming what does not fit."""
    with torch.device("meta"):
        network = make()
    expected = network.state_dict()
    _refuse(path, "lacks", [key for key in expected if key not in weights])
    _refuse(path, "holds unknown", [key for key in weights if key not in expected])
    _refuse(path, "has wrong shapes in", [key for key in expected if weights[key].shape != expected[key].shape])
    weights = {key: value.float() for key, value in weights.items()}
    broken = [key for key, value in weights.items() if not torch.isfinite(value.sum())]
    _refuse(path, "holds values that are not numbers in", broken)
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _refuse(path: str | Path, what: str, keys: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        raise EncoderError(f"{path} is not a file of this encoder: it {what} {keys[0]}{more}.")


def _batches(lengths: dict[int, int], limit: int) -> Iterator[list[int]]:
    """Indices of sounds, longest first, in batches of at most `limit` padded frames."""
    batch: list[int] = []
    for i in sorted(lengths, key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > limit:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
