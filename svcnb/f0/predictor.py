"""What every pitch predictor shares: its settings, the checks on its input, and the frames it answers in.

A predictor has frames of its own; `Predictor.__call__` brings them to the model's frames, one every `hop` samples.

Notebook: 02_features
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svcnb.f0.postprocess import align, fill


class F0Error(ValueError):
    """A predictor or its input is not usable; the message says what to do."""


@dataclass(frozen=True)
class F0:
    """Pitch of a recording: `hz` (T,) in Hz, 0 where unvoiced, and `voiced` (T,)."""

    hz: np.ndarray
    voiced: np.ndarray

    def filled(self) -> np.ndarray:
        """Pitch without gaps (T,), in Hz: interpolated where unvoiced, held at the ends; zeros if nothing is voiced."""
        return fill(self.hz)


@dataclass
class Predictor(ABC):
    """Settings of a predictor; call it with audio (N,) for an F0 of N // hop frames."""

    sample_rate: int = 44100  # of the audio
    hop: int = 512  # samples from frame to frame
    f0_min: float = 50  # Hz
    f0_max: float = 1100  # Hz
    threshold: float = 0.05  # confidence below which a network's frame is unvoiced
    device: str = "auto"
    path: Path | str | None = None  # weights file in place of the usual one
    original: bool = False  # as so-vits-svc computes it
    half: bool = False  # a network computes in half precision

    def __post_init__(self) -> None:
        if self.sample_rate <= 0 or self.hop <= 0:
            raise F0Error(f"sample_rate and hop must be positive, not {self.sample_rate} and {self.hop}.")
        if not 0 < self.f0_min < self.f0_max:
            raise F0Error(f"f0_min must be positive and below f0_max, not {self.f0_min} and {self.f0_max} Hz.")

    def __call__(self, wav: np.ndarray, frames: int | None = None) -> F0:
        """Pitch of `wav` (N,): N // hop frames, or `frames`; raises F0Error when `wav` is no mono recording."""
        wav = np.asarray(wav)
        if wav.ndim != 1:
            raise F0Error(f"Pitch needs one channel of audio, shape (N,); this has shape {wav.shape}.")
        if not np.isfinite(wav).all():
            raise F0Error("The audio holds NaN or infinite samples; repair or remove that recording first.")
        frames = len(wav) // self.hop if frames is None else frames
        if frames == 0 or not wav.any():
            hz = np.zeros(frames)
        elif self.original:
            hz = self.track_original(wav, frames)
        else:
            hz, times = self.track(wav)
            hz = align(hz, times, np.arange(frames) * self.hop / self.sample_rate)
        return F0(hz.astype(np.float64), hz > 0)

    @abstractmethod
    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pitch in Hz, 0 where unvoiced, and the times of those frames in s, for audio (N,) that is not silent."""

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        """Pitch (frames,) as the original gives it; of predictors that it does not have, the same as ours."""
        hz, times = self.track(wav)
        return align(hz, times, np.arange(frames) * self.hop / self.sample_rate)
