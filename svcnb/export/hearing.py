"""Speech encoders and pitch predictors as graphs that hear sound at 16 kHz.

Notebook: 06_mixing_export
"""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from svcnb.encoders import Encoder
from svcnb.encoders.lesson import Lesson
from svcnb.encoders.wav2vec2 import Wav2Vec2
from svcnb.encoders.whisper import N_FFT, STEP, Whisper, loudness, thirty_seconds
from svcnb.export.graph import Case, ExportError, Parity, export_graph
from svcnb.f0 import fcpe, rmvpe
from svcnb.f0.neural import HOP, RATE, NeuralPredictor
from svcnb.f0.postprocess import to_cents

OPEN = {"source": (2,), "embed": (1,), "waveform": (1,), "f0": (1,)}
UNITS_HOP = 320  # samples from frame to frame of units


def export_encoder(encoder: Encoder, path: str | Path) -> Parity:
    """Write a speech encoder as ONNX and compare it with `encoder.units` at several lengths.

    It hears `source` (1, 1, N) at 16 kHz and gives `embed` (1, T, D); `svcnb.encoders.onnx` opens it. Whisper's hears
    no more than 30 s. The lesson encoder, Whisper and the HuBERT family can be exported. Raises ExportError, OSError.
    """
    ears = {Lesson: _LessonEars, Whisper: _WhisperEars, Wav2Vec2: _Wav2Vec2Ears}
    kind = next((kind for family, kind in ears.items() if isinstance(encoder, family)), None)
    if kind is None:
        raise ExportError(
            f"The encoder {encoder.name} can not be exported; lesson, Whisper and those of the HuBERT family can."
        )
    ears = kind(_on_cpu(encoder))
    return export_graph(ears, path, ("source",), "embed", OPEN, ears.case)


def export_f0(predictor: NeuralPredictor, path: str | Path) -> Parity:
    """Write fcpe or rmvpe as ONNX and compare it with the predictor at several lengths.

    It hears `waveform` (1, N) at 16 kHz and gives `f0` (1, N // 160 + 1) in Hz, 0 where no pitch is surer than
    `threshold` (1). Raises ExportError, OSError.
    """
    if not isinstance(predictor, (fcpe.Fcpe, rmvpe.Rmvpe)):
        raise ExportError(f"The predictor {type(predictor).__name__} can not be exported; fcpe and rmvpe can.")
    ears = _PitchEars(_on_cpu(predictor))
    return export_graph(ears, path, ("waveform", "threshold"), "f0", OPEN, ears.case)


class _LessonEars(nn.Module):
    """The lesson encoder as one function of a sound."""

    def __init__(self, encoder: Lesson):
        super().__init__()
        self.encoder, self.network = encoder, encoder.network

    def forward(self, source):
        return self.encoder.hear(source[:, 0, : source.shape[-1] // UNITS_HOP * UNITS_HOP])

    def case(self, frames: int, seed: int) -> Case:
        wav = _voice(frames * UNITS_HOP + 90, seed)
        return (wav[None, None],), self.encoder.units(wav)[None]


class _Wav2Vec2Ears(nn.Module):
    """An encoder of the HuBERT family as one function of a sound."""

    def __init__(self, encoder: Wav2Vec2):
        super().__init__()
        self.encoder, self.network, self.projection = encoder, encoder.network, encoder.projection

    def forward(self, source):
        features = self.encoder._features(self.encoder.condition(source[0, 0]), None)
        return self.encoder.projection(self.encoder.transform(features[None], None))

    case = _LessonEars.case


class _WhisperEars(nn.Module):
    """A Whisper encoder as one function of a sound of up to 30 s.

    Its spectrogram goes 80 dB down, deeper than onnxruntime's own STFT is exact, so that one is spelt out in float64.
    """

    def __init__(self, encoder: Whisper):
        super().__init__()
        self.encoder, self.network = encoder, encoder.network
        turns = torch.outer(torch.arange(N_FFT), torch.arange(N_FFT // 2 + 1)).double() / N_FFT
        window = torch.hann_window(N_FFT, dtype=torch.float64)[:, None]
        self.waves = [window * wave(2 * torch.pi * turns) for wave in (torch.cos, torch.sin)]

    def forward(self, source):
        wav = F.pad(thirty_seconds(source[0, 0])[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0].double()
        frames = wav[STEP * torch.arange((len(wav) - N_FFT) // STEP)[:, None] + torch.arange(N_FFT)]
        power = sum((frames @ wave).square() for wave in self.waves).float().T
        return self.network(loudness(power)[None]).last_hidden_state[:, : source.shape[-1] // UNITS_HOP]

    case = _LessonEars.case


class _PitchEars(nn.Module):
    """A pitch predictor as one function of a sound: where the salience is highest, the mean of nine bins around."""

    def __init__(self, predictor: NeuralPredictor):
        super().__init__()
        self.predictor, self.net = predictor, predictor.net
        module = fcpe if isinstance(predictor, fcpe.Fcpe) else rmvpe
        self.mel, cents = module.mel, predictor.net.cent_table.numpy() if module is fcpe else rmvpe.CENTS
        low, high = to_cents(predictor.f0_min), to_cents(predictor.f0_max)
        self.register_buffer("cents", torch.as_tensor(cents, dtype=torch.float64))
        self.register_buffer("heard", torch.as_tensor((cents >= low) & (cents <= high)).float())

    def forward(self, waveform, threshold):
        salience = self.net(self.mel(waveform)) * self.heard
        index = salience.argmax(-1, keepdim=True) + torch.arange(-4, 5)
        inside = index.clamp(0, len(self.cents) - 1)
        weight = (salience.gather(-1, inside) * (index == inside)).double()
        cents = (weight * self.cents[inside]).sum(-1) / weight.sum(-1).clamp(min=1e-12)
        return torch.where(salience.amax(-1) > threshold, 10 * 2 ** (cents.float() / 1200), 0.0)

    def case(self, frames: int, seed: int) -> Case:
        wav = _voice(frames * HOP + 90, seed)
        expected = torch.from_numpy(self.predictor.pitch(wav)).float()[None]
        return (wav[None], torch.tensor([self.predictor.threshold])), expected


def _on_cpu(ears):
    """A copy of an encoder or predictor that computes on the CPU in float32."""
    ears = copy.deepcopy(ears)
    for name, part in vars(ears).items():
        if isinstance(part, nn.Module):
            part.eval().float().cpu().requires_grad_(False)
        elif name in ("device", "place"):
            setattr(ears, name, torch.device("cpu"))
    ears.half = False
    return ears


def _voice(samples: int, seed: int) -> torch.Tensor:
    """Something to hear (N,) at 16 kHz: a gliding tone with overtones, and some noise."""
    noise = np.random.default_rng(seed).normal(0, 0.005, samples)
    hz = 220 * 2 ** (np.linspace(0, 0.5, samples) + seed / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return torch.from_numpy(sum(0.2 / n * np.sin(n * phase) for n in range(1, 9)) + noise).float()
