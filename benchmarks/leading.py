"""Clips that are led by another: a singer's own sound, beside the units and the loudness of somebody else.

From their own units voices learn to sing by what the encoder leaves of them; a conversion has another's.
"""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from svcnb import audio
from svcnb.audio import resample
from svcnb.dataset import features_path
from svcnb.f0.classic import import_pyworld

pyworld = import_pyworld()


def led_copy(clip: Path, by: str, heard: np.ndarray, rate: int, encoder) -> Path:
    """A copy of a clip beside it, with units and loudness of `heard` (N,), sung at the same time at `rate` Hz."""
    features, copy = load_file(features_path(clip)), clip.with_stem(f"{clip.stem}_led_by_{by}")
    units, volume = encoder.units(resample(heard, rate, 16000)).numpy(), audio.volume(heard, 512)
    shutil.copy(clip, copy)
    save_file(
        {**features, "units": units.astype(features["units"].dtype), "volume": volume[: len(features["volume"])]},
        features_path(copy),
    )
    return copy


def world(wav: np.ndarray, rate: int, semitones: float, formants: float = 1.0) -> np.ndarray:
    """WORLD takes singing (N,) apart and puts it together at another pitch, its formants so many times as high."""
    wav = wav.astype(np.float64)
    f0, times = pyworld.dio(wav, rate)
    f0 = pyworld.stonemask(wav, f0, times, rate)
    envelope, aperiodicity = pyworld.cheaptrick(wav, f0, times, rate), pyworld.d4c(wav, f0, times, rate)
    if formants != 1:
        bins = np.arange(envelope.shape[1])
        envelope = np.exp(np.stack([np.interp(bins / formants, bins, row) for row in np.log(envelope)]))
    return pyworld.synthesize(f0 * 2 ** (semitones / 12), envelope, aperiodicity, rate)[: len(wav)].astype(np.float32)


def in_another_body(wav: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """The same singing (N,), as loud, up to an octave higher or lower, by a body of the size that goes with it."""
    semitones = rng.uniform(-12, 12)
    other = world(wav, rate, semitones, 2 ** (semitones / 60) * np.exp(rng.normal(0, 0.07)))
    return other * np.sqrt(np.mean(wav**2) / (np.mean(other**2) + 1e-12))
