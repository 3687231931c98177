"""Voices of arithmetic, and stand-ins for the encoder and the predictor: what is tested is what lies around them."""

import numpy as np
import pytest
import soundfile
import torch

from svcnb import encoders, f0
from svcnb.f0 import F0


def voice(seconds=6.0, rate=44100, hz=220.0, gain=0.3):
    """A sawtooth-like tone with vibrato and some noise far below."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (hz * t + 0.5 * np.sin(2 * np.pi * 5 * t))
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    noise = np.random.default_rng(0).standard_normal(len(t)) * 1e-4
    return (gain * tone / np.abs(tone).max() + noise).astype(np.float32)


def silence(seconds, rate=44100):
    return (np.random.default_rng(1).standard_normal(round(seconds * rate)) * 1e-4).astype(np.float32)


def record(path, wav, rate=44100, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wav, rate, **options)
    return path


class Encoder:
    """256 samples of every 320 are its units."""

    half = False

    def __init__(self, log):
        self.log = log

    def units_batch(self, wavs):
        return [self.units(wav) for wav in wavs]

    def units(self, wav):
        self.log.append(("units", len(wav)))
        frames = (len(wav) - 80) // 320
        return torch.as_tensor(wav)[: frames * 320].reshape(frames, 320)[:, :256].clone()


class Predictor:
    """The pitch is 200 Hz wherever something sounds."""

    def __init__(self, log, hop):
        self.log, self.hop = log, hop

    def __call__(self, wav):
        self.log.append(("f0", len(wav)))
        frames = len(wav) // self.hop
        loud = np.abs(wav[: frames * self.hop]).reshape(frames, self.hop).max(axis=1) > 0.02
        hz = np.where(loud, np.where(np.arange(frames) % 2, 190.0, 300.0), 0.0)
        return F0(hz, hz > 0)


@pytest.fixture
def engines(monkeypatch):
    """Stand-ins for the encoder vec256l9 and the predictor pm; the list of what they were asked."""
    log, real = [], f0.get

    def predictor(name, **settings):
        return Predictor(log, settings["hop"]) if name in f0.names() else real(name)

    def encoder(name, path=None, device="auto"):
        log.append(("load", name))
        return Encoder(log)

    monkeypatch.setattr(encoders, "get", encoder)
    monkeypatch.setattr(f0, "get", predictor)
    return log
