"""A recording to be scored, and all that is measured on it alone.

Notebook: 05_infer
"""

import warnings
from functools import cache, cached_property
from pathlib import Path

import librosa
import numpy as np
import scipy.fft

from svcnb import audio, encoders
from svcnb import f0 as pitch
from svcnb.f0.classic import import_pyworld

RATE, HOP = 44100, 441  # everything is measured at this rate, every 10 ms
BANDS, TOP = 80, 12000.0  # mel bands from 0 Hz to TOP
ACTIVE = 10 ** (-45 / 20)  # frames under this part of the loudest are left out
AVERAGE_VOICE = np.array(  # mean c1 to c16 of eight voices: the lesson singers and four of a speech synthesizer
    [2.37, 0.09, 0.57, 0.02, 0.0, -0.09, 0.1, -0.2, 0.06, -0.14, 0.13, -0.11, 0.07, -0.02, 0.08, -0.08]
)


class Take:
    """A recording and what is measured on it, each when first asked for."""

    def __init__(self, sound: np.ndarray | str | Path, sample_rate: int, f0: str = "fcpe"):
        """`sound` is a file, or an array (N,) at `sample_rate`; f0: pitch predictor. Raises ValueError."""
        if isinstance(sound, (str, Path)):
            sound, sample_rate = audio.load(sound)
        self.wav, self.f0_name = audio.resample(np.asarray(sound), sample_rate, RATE), f0
        if self.wav.ndim != 1 or len(self.wav) < RATE // 10 or not np.isfinite(self.wav).all():
            raise ValueError(f"A sound to score is at least 0.1 s of finite samples (N,); this has {self.wav.shape}.")

    @cached_property
    def f0(self) -> pitch.F0:
        """Pitch (T,), T = N // HOP."""
        return _predictor(self.f0_name)(self.wav)

    @cached_property
    def level(self) -> np.ndarray:
        """Root mean square over 50 ms, (T,)."""
        return audio.rms(self.wav, 5 * HOP, HOP)[: len(self.wav) // HOP]

    @cached_property
    def active(self) -> np.ndarray:
        """Where there is more than silence, (T,)."""
        return self.level > self.level.max() * ACTIVE

    @cached_property
    def levelled(self) -> np.ndarray:
        """The recording at an rms of 0.1."""
        return self.wav * (0.1 / max(np.sqrt(np.mean(self.wav**2)), 1e-9))

    @cached_property
    def mel(self) -> np.ndarray:
        """Natural-log mel magnitudes (T, bands)."""
        options = dict(sr=RATE, n_fft=2048, hop_length=HOP, n_mels=BANDS, fmin=0, fmax=TOP, power=1.0)
        return np.log(np.maximum(librosa.feature.melspectrogram(y=self.levelled, **options), 1e-5)).T[
            : len(self.wav) // HOP
        ]

    @cached_property
    def envelope(self) -> np.ndarray:
        """Cepstrum (T, bands) of WORLD's spectral envelope in mel bands."""
        times = np.arange(len(self.f0.hz)) * HOP / RATE
        power = import_pyworld().cheaptrick(self.levelled.astype(np.float64), self.f0.hz, times, RATE)
        hz = np.linspace(0, RATE / 2, power.shape[1])
        bands = librosa.mel_frequencies(BANDS, fmin=20, fmax=TOP)
        return cepstrum(0.5 * np.log(np.array([np.interp(bands, hz, row) for row in power]) + 1e-12))

    @cached_property
    def timbre(self) -> np.ndarray:
        """Mean envelope of clearly voiced frames, less that of an average voice, c1 to c16."""
        clear = self.f0.voiced & (self.level > self.level.max() * 10 ** (-30 / 20))
        if not clear.any():
            return np.full(len(AVERAGE_VOICE), np.nan)
        return self.envelope[clear, 1 : len(AVERAGE_VOICE) + 1].mean(axis=0) - AVERAGE_VOICE

    @cached_property
    def units(self) -> np.ndarray:
        """Units (S, D) of the lesson encoder, 50 a second."""
        return _ear().units(self.wav16k).numpy()

    @cached_property
    def wav16k(self) -> np.ndarray:
        """The recording as encoders hear it."""
        return audio.resample(self.wav, RATE, 16000)

    @cached_property
    def embedding(self) -> np.ndarray:
        """What resemblyzer keeps of a voice."""
        encoder, preprocess = voice_encoder()
        return encoder.embed_utterance(preprocess(self.wav, source_sr=RATE))


def cepstrum(log_spectrum: np.ndarray) -> np.ndarray:
    """The cosine transform of log spectra (T, bands), over the bands."""
    return scipy.fft.dct(log_spectrum, type=2, axis=1) / log_spectrum.shape[1]


@cache
def _predictor(name: str) -> pitch.Predictor:
    return pitch.get(name, RATE, HOP)


@cache
def _ear() -> encoders.Encoder:
    return encoders.get("lesson", device="cpu")


@cache
def voice_encoder():
    """resemblyzer's encoder and what prepares sound for it, or None where the package is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # one of its libraries asks for pkg_resources
            from resemblyzer import VoiceEncoder, preprocess_wav
    except ImportError:
        return None
    return VoiceEncoder("cpu", verbose=False), preprocess_wav
