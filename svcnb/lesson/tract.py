"""The sound of one instant: the spectrum of a glottal pulse, and of the vocal tract that it excites.

The source is the causal-anticausal model of Doval, d'Alessandro and Henrich (2003), the tract a cascade of formants.

Notebook: 01_data
"""

from functools import lru_cache

import numpy as np

from svcnb.lesson.phones import VOWELS
from svcnb.lesson.voices import Singer

RATE = 44100  # samples per second
PULSE = 2048  # samples of one pulse response
NOISE = 512  # samples of one noise frame


def glottis(freq: np.ndarray, f0: np.ndarray, open_quotient: float, tilt: np.ndarray) -> np.ndarray:
    """Spectrum of one pulse of glottal flow derivative: a resonance that runs backwards in time, then the tilt."""
    s, b = 2j * np.pi * freq, np.pi * f0 / open_quotient
    a = -b / np.tan(np.pi * 0.68)  # .68: the flow rises for 68 % of the open phase
    return s / ((s - a) ** 2 + b**2) / (1 + 1j * freq / tilt) / (1 + (freq / 19000) ** 8)


def tract(singer: Singer, freq: np.ndarray, formants: np.ndarray, nasal: np.ndarray) -> np.ndarray:
    """Spectra (T, bins) of the vocal tract: five formants in Hz (T, 5), and a nasal zero that leaves its pole (T,)."""
    nasal = (nasal + singer.nasal * (1 - nasal))[:, None]
    band = singer.width * np.array([60, 85, 130, 190, 240]) + nasal * [30, 120, 150, 0, 0]
    zero = _resonances(freq, (270 + 200 * nasal) * singer.tract, 90 + 0 * nasal)
    return zero * _still(singer, len(freq)) / _resonances(freq, formants * singer.shift, band)


@lru_cache(64)
def levels(singer: Singer) -> tuple[float, np.ndarray]:
    """What brings an "ah" to unit power: a factor when voiced, a spectrum (weak at the bottom) when whispered."""
    long, short = np.fft.rfftfreq(PULSE, 1 / RATE), np.fft.rfftfreq(NOISE, 1 / RATE)
    ah = lambda freq: tract(singer, freq, np.array([[*VOWELS["ah"], 3450, 4350]]) * singer.tract, np.zeros(1))
    f0 = 370 * 2 ** (singer.transpose / 12)
    pulse = np.fft.irfft(glottis(long, f0, singer.open_quotient, singer.tilt) * ah(long))
    air = (0.35 + short / 4000).clip(0, 1.5)
    return np.sqrt(RATE / np.sum(pulse**2)), air / np.sqrt(np.mean(np.abs(ah(short) * air) ** 2))


def _resonances(freq, hz, band):
    """Denominator of a cascade of resonators at the columns of `hz` (rows, k): one row of bins for each row."""
    s, out = 2j * np.pi * freq, 1
    for f, b in zip(np.atleast_2d(hz).T[..., None], np.atleast_2d(band).T[..., None], strict=True):
        square = (2 * np.pi * f) ** 2 + (np.pi * b) ** 2
        out = out * (1 + (s**2 + 2 * np.pi * b * s) / square)
    return out


@lru_cache(64)
def _still(singer, bins):
    """The part of the tract that does not move: formants from the sixth up, the nasal pole and the piriform dip."""
    freq, hz = np.linspace(0, RATE / 2, bins), np.arange(5300, 60000, 1000.0) * singer.tract
    endless = np.exp((freq / singer.tract) ** 2 / 1000 / 60000)  # all formants above the last one, in closed form
    below = _resonances(freq, hz, singer.width * (120 + 0.06 * hz)) * _resonances(freq, 270 * singer.tract, 90)
    return endless / below * _resonances(freq, singer.dip, 500) / _resonances(freq, 1.06 * singer.dip, 1100)
