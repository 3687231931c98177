"""How good a conversion is, in numbers: does it keep the melody, sound like the target, and say nothing untrue?

Traps, all met in practice:
- Pitch trackers slip by octaves. One slip ruins correlation and rmse, so judge by the median error and the gross share.
- A buzz at the right level beats the untouched source in plain mel-cepstral distortion, and a speech quality network
  prefers it, too. Read distances beside F0 and voicing, and listen.
- Distances need a parallel target: the same song, sung in time. Two true singers differ already; compare with the
  distances of the untouched source (`compare(source, reference, source)`), not with zero.
- Level is not timbre: distances here are taken after matching levels, and loudness is its own line.
- A score that was maximised says nothing any more. Keep one measure out of the training and the choosing.

Notebook: 05_infer
"""

import warnings
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path

import librosa
import numpy as np
import scipy.fft

from svcnb import audio
from svcnb import f0 as pitch
from svcnb.f0.classic import import_pyworld

RATE, HOP = 44100, 441  # everything is measured at this rate, every 10 ms
BANDS, TOP = 80, 12000.0  # mel bands from 0 Hz to TOP
ACTIVE = 10 ** (-45 / 20)  # frames under this part of the loudest are left out
GROSS = 50.0  # cents from which a pitch is wrong
DECIBEL = 10 / np.log(10) * np.sqrt(2)  # of a distance between cepstra
DTW_FRAMES = 2000  # aligned at once: takes are parallel, and the table grows with the square
AVERAGE_VOICE = np.array(  # mean c1 to c16 of eight voices: the lesson singers and four of a speech synthesizer
    [2.37, 0.09, 0.57, 0.02, 0.0, -0.09, 0.1, -0.2, 0.06, -0.14, 0.13, -0.11, 0.07, -0.02, 0.08, -0.08]
)


@dataclass(frozen=True)
class Scores:
    """Of a conversion; None where there is nothing to compare with, NaN where no frame allows it."""

    f0_median_cents: float | None = None  # pitch error, half of the frames are better; 5 is inaudible
    f0_gross: float | None = None  # share of frames over 50 cents off
    f0_rmse_cents: float | None = None
    f0_correlation: float | None = None  # of log F0
    vuv_error: float | None = None  # share of frames voiced in one only
    mel_distance: float | None = None  # mean |difference| of natural-log mels, 0-12 kHz, levels matched
    mcd: float | None = None  # dB, mel-cepstral distortion after alignment in time
    envelope_distance: float | None = None  # dB, the same between spectral envelopes: blind to pitch
    loudness_difference: float | None = None  # LU, positive: the conversion is louder
    loudness_correlation: float | None = None  # of the loudness over time, in dB
    timbre_similarity: float | None = None  # to the reference, -1 to 1
    timbre_similarity_source: float | None = None
    speaker_similarity: float | None = None  # to the reference, 0 to 1; needs the package resemblyzer
    speaker_similarity_source: float | None = None

    def __str__(self) -> str:
        rows = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return "\n".join(f"{name:<26}{value:>9.3f}" for name, value in rows if value is not None)


def compare(
    converted: np.ndarray | str | Path,
    reference: np.ndarray | str | Path | None = None,
    source: np.ndarray | str | Path | None = None,
    sample_rate: int = RATE,
    semitones: float = 0,
    f0: str = "fcpe",
) -> Scores:
    """Score a conversion against the true target, the source, or both; files, or arrays (N,) at `sample_rate`.

    reference: the target singer's own rendition of the song, in time with the source. Distances, timbre and loudness
    are against it. source: what was converted, by `semitones`. Melody, voicing and loudness over time are what the
    conversion should keep, so they are against the source; without one, against the reference as it is.
    f0: pitch predictor. Raises ValueError when there is nothing to compare with.
    """
    if reference is None and source is None:
        raise ValueError("Give a reference (the target singer's rendition), the source, or both to compare with.")
    made, target, origin = (None if x is None else _Take(x, sample_rate, f0) for x in (converted, reference, source))
    kept, shift = (target, 0) if origin is None else (origin, semitones)
    scores = _melody(made, kept, shift) | _loudness(made, kept, target or origin)
    if target is not None:
        scores |= _distances(made, target) | _likeness(made, target, "")
    if origin is not None:
        scores |= _likeness(made, origin, "_source")
    return Scores(**scores)


def timbre_similarity(a: np.ndarray, b: np.ndarray, sample_rate: int = RATE) -> float:
    """How alike two voices colour their vowels, -1 to 1: the cosine between long-term envelopes, less an average voice.

    The envelope is WORLD's, without harmonics, of voiced frames, as cepstrum c1 to c16 of 80 mel bands up to 12 kHz:
    level and pitch count little; equaliser, microphone and singing technique do. Measured on eleven voices in 47 songs
    (four of a speech synthesizer, four lesson singers, three real ones in nine techniques): one voice in two songs 0.81
    (down to 0.13 between two techniques of one singer), two voices -0.05 (up to 0.85); 0.5 parts them, with one pair
    in twenty on the wrong side. So it can say that a conversion went the right way, not who is singing.
    """
    return _cosine(_Take(a, sample_rate).timbre, _Take(b, sample_rate).timbre)


def speaker_similarity(a: np.ndarray, b: np.ndarray, sample_rate: int = RATE) -> float | None:
    """Cosine of resemblyzer's voice embeddings, 0 to 1, or None where that package is not installed (extra `eval`).

    Trained on speech. Singers of one song: about 0.95 for one voice in two songs, 0.65 to 0.85 for two voices.
    """
    if _resemblyzer() is None:
        return None
    return _cosine(_Take(a, sample_rate).embedding, _Take(b, sample_rate).embedding)


class _Take:
    """A recording and what is measured on it, each when first asked for."""

    def __init__(self, sound: np.ndarray | str | Path, sample_rate: int, f0: str = "fcpe"):
        if isinstance(sound, (str, Path)):
            sound, sample_rate = audio.load(sound)
        self.wav, self.f0_name = audio.resample(np.asarray(sound), sample_rate, RATE), f0
        if self.wav.ndim != 1 or len(self.wav) < RATE // 10 or not np.isfinite(self.wav).all():
            raise ValueError(f"A sound to score is at least 0.1 s of finite samples (N,); this has {self.wav.shape}.")

    @cached_property
    def f0(self) -> pitch.F0:
        return _predictor(self.f0_name)(self.wav)

    @cached_property
    def level(self) -> np.ndarray:
        """Root mean square over 50 ms, (T,), T = N // HOP."""
        return audio.rms(self.wav, 5 * HOP, HOP)[: len(self.wav) // HOP]

    @cached_property
    def active(self) -> np.ndarray:
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
        return _cepstrum(0.5 * np.log(np.array([np.interp(bands, hz, row) for row in power]) + 1e-12))

    @cached_property
    def timbre(self) -> np.ndarray:
        """Mean envelope of clearly voiced frames, less that of an average voice, c1 to c16."""
        clear = self.f0.voiced & (self.level > self.level.max() * 10 ** (-30 / 20))
        if not clear.any():
            return np.full(len(AVERAGE_VOICE), np.nan)
        return self.envelope[clear, 1 : len(AVERAGE_VOICE) + 1].mean(axis=0) - AVERAGE_VOICE

    @cached_property
    def embedding(self) -> np.ndarray:
        encoder, preprocess = _resemblyzer()
        return encoder.embed_utterance(preprocess(self.wav, source_sr=RATE))


@cache
def _predictor(name: str) -> pitch.Predictor:
    return pitch.get(name, RATE, HOP)


@cache
def _resemblyzer():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # one of its libraries asks for pkg_resources
            from resemblyzer import VoiceEncoder, preprocess_wav
    except ImportError:
        return None
    return VoiceEncoder("cpu", verbose=False), preprocess_wav


def _cepstrum(log_spectrum: np.ndarray) -> np.ndarray:
    return scipy.fft.dct(log_spectrum, type=2, axis=1) / log_spectrum.shape[1]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b))) if a.any() and b.any() else np.nan


def _melody(made: _Take, kept: _Take, semitones: float) -> dict:
    frames = min(len(made.f0.hz), len(kept.f0.hz))
    a, b = made.f0.hz[:frames], kept.f0.hz[:frames] * 2 ** (semitones / 12)
    both = (a > 0) & (b > 0)
    scores = dict(vuv_error=float(np.mean((a > 0) != (b > 0))))
    if not both.any():
        return scores | dict.fromkeys(("f0_median_cents", "f0_gross", "f0_rmse_cents", "f0_correlation"), np.nan)
    cents = np.abs(1200 * np.log2(a[both] / b[both]))
    return scores | dict(
        f0_median_cents=float(np.median(cents)),
        f0_gross=float(np.mean(cents > GROSS)),
        f0_rmse_cents=float(np.sqrt(np.mean(cents**2))),
        f0_correlation=_correlation(np.log(a[both]), np.log(b[both])),
    )


def _loudness(made: _Take, kept: _Take, beside: _Take) -> dict:
    frames = min(len(made.level), len(kept.level))
    a, b = (20 * np.log10(np.maximum(x.level[:frames], x.level.max() * 1e-3) + 1e-9) for x in (made, kept))
    heard = kept.active[:frames]
    return dict(
        loudness_difference=audio.loudness(made.wav, RATE) - audio.loudness(beside.wav, RATE),
        loudness_correlation=_correlation(a[heard], b[heard]) if heard.any() else np.nan,
    )


def _distances(made: _Take, target: _Take) -> dict:
    frames = min(len(made.mel), len(target.mel))
    heard = target.active[:frames]
    if not heard.any():
        return dict.fromkeys(("mel_distance", "mcd", "envelope_distance"), np.nan)
    a, b = made.mel[:frames][heard], target.mel[:frames][heard]
    return dict(
        mel_distance=float(np.abs(a - b).mean()),
        mcd=_aligned_distance(_cepstrum(a)[:, 1:25], _cepstrum(b)[:, 1:25]),
        envelope_distance=_envelope_distance(made, target),
    )


def _aligned_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance in dB of cepstra (T, C) along the best path of time warping."""
    steps = []
    for i in range(0, len(a), DTW_FRAMES):
        x, y = a[i : i + DTW_FRAMES], b[i : i + DTW_FRAMES]
        path = librosa.sequence.dtw(x.T, y.T, metric="euclidean")[1]
        steps.append(np.linalg.norm(x[path[:, 0]] - y[path[:, 1]], axis=1))
    return float(DECIBEL * np.concatenate(steps).mean())


def _envelope_distance(made: _Take, target: _Take) -> float:
    frames = min(len(made.f0.hz), len(target.f0.hz))
    both = made.f0.voiced[:frames] & target.f0.voiced[:frames] & target.active[:frames]
    if not both.any():
        return np.nan
    a, b = (take.envelope[:frames][both, 1:25] for take in (made, target))
    return float(DECIBEL * np.linalg.norm(a - b, axis=1).mean())


def _likeness(made: _Take, other: _Take, suffix: str) -> dict:
    scores = {f"timbre_similarity{suffix}": _cosine(made.timbre, other.timbre)}
    if _resemblyzer() is not None:
        scores[f"speaker_similarity{suffix}"] = _cosine(made.embedding, other.embedding)
    return scores
