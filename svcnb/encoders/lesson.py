"""The lesson encoder: a small network that hears what the lesson singers articulate, whoever sings.

It was trained on the synthesizer's own truth (benchmarks/train_lesson_encoder.py) to say phoneme, formants, voice,
nasality and noise as they would be in one standard mouth. Every value depends on less than a second of sound on
either side, so long sound goes through in windows, exactly.

Notebook: 02_features
"""

import functools
from pathlib import Path
from typing import Any

import librosa
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from svcnb.encoders.base import HOP, RATE, Encoder, EncoderError, build
from svcnb.lesson import encoder_path

DIM, WIDTH, BANDS = 64, 160, 64
DILATIONS = (1, 2, 1, 3, 1, 2)
N_FFT, STEP, AROUND = 512, 160, 50  # samples of a spectrum and between two; spectra on either side that set the level
BEFORE = 2 * sum(DILATIONS) + AROUND // 2 + 1  # frames of units before a frame that it depends on; one more after it


class Block(nn.Module):
    """Looks around in time, then mixes channels; (B, WIDTH, T) in, shorter by 4 x dilation out."""

    def __init__(self, dilation: int):
        super().__init__()
        self.edge = 2 * dilation
        self.time = nn.Conv1d(WIDTH, WIDTH, 5, dilation=dilation, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.time(x).transpose(1, 2))
        return x[..., self.edge : -self.edge] + self.narrow(F.gelu(self.wide(y))).transpose(1, 2)


class Network(nn.Module):
    """Log mel (B, BANDS, …) to units (B, T, DIM) of unit power; pads nothing, so the sound must bring its context."""

    def __init__(self):
        super().__init__()
        self.entry = nn.Conv1d(BANDS, WIDTH, 4, stride=2)
        self.blocks = nn.Sequential(*map(Block, DILATIONS))
        self.exit = nn.Linear(WIDTH, DIM)

    def forward(self, mel: Tensor) -> Tensor:
        units = self.exit(self.blocks(F.gelu(self.entry(mel))).transpose(1, 2))
        return F.layer_norm(units, (DIM,))


class Lesson(Encoder):
    """The lesson encoder."""

    overhang = 0

    def __init__(self, network: Network, device: str = "auto"):
        super().__init__(DIM, device)
        self.network = network.to(self.device)

    def encode(self, wavs: list[Tensor], survey: Any = None) -> list[Tensor]:
        frames = [self.frames(len(wav)) for wav in wavs]
        longest = max(frames)
        batch = torch.stack(
            [F.pad(wav[: n * HOP], (0, (longest - n) * HOP)) for wav, n in zip(wavs, frames, strict=True)]
        )
        return [row[:count] for row, count in zip(self.hear(batch), frames, strict=True)]

    def hear(self, batch: Tensor) -> Tensor:
        """Units (B, T, D) of sounds (B, T * HOP)."""
        with torch.autocast(self.device.type, enabled=False):  # quiet bands would vanish in half precision
            mel = log_mel(F.pad(batch, (BEFORE * HOP, (BEFORE + 1) * HOP)))
        return self.network(mel)


def load(path: str | Path | None = None, device: str = "auto") -> Lesson:
    """Read the weights; None takes those of the package. Raises EncoderError."""
    path = path or encoder_path()
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise EncoderError(f"{path} is not a file of the lesson encoder ({error}).") from None
    return Lesson(build(Network, weights, path), device)


def log_mel(wav: Tensor) -> Tensor:
    """Log mel (B, BANDS, T) of (B, N), against the level of the half second around, so that loudness does not count."""
    spectrum = torch.stft(wav, N_FFT, STEP, window=torch.hann_window(N_FFT, device=wav.device), center=False,
                          return_complex=True)  # fmt: skip
    mel = _filters().to(wav.device) @ torch.view_as_real(spectrum).square().sum(-1)
    level = F.avg_pool1d(mel.mean(1, keepdim=True), 2 * AROUND + 1, stride=1)
    return (mel[..., AROUND:-AROUND] / (level + 1e-6) + 1e-4).log10() / 2 + 1


@functools.cache
def _filters() -> Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmin=60, fmax=7600, norm=None))
