"""What two takes have in common: melody, words, loudness, spectra, and the voice.

Notebook: 05_infer
"""

from pathlib import Path

import librosa
import numpy as np

from svcnb import audio
from svcnb.evaluate.take import HOP, RATE, Take, cepstrum, voice_encoder
from svcnb.probes import distance

GROSS = 50.0  # cents from which a pitch is wrong
DECIBEL = 10 / np.log(10) * np.sqrt(2)  # of a distance between cepstra
DTW_FRAMES = 2000  # aligned at once: takes are parallel, and the table grows with the square
LEAST_FRAMES = 10  # of units that can be told from units at random


def melody(made: Take, kept: Take, semitones: float) -> dict[str, float]:
    """Pitch where both have one, `kept` moved by `semitones`, and where only one has."""
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


def words(made: Take, kept: Take, whisper: str | Path | None) -> dict[str, float]:
    """Whether the lesson encoder hears the same sounds where `kept` is not silent, and Whisper the same words.

    The lesson encoder on the lesson singers: two singers of one song 0.78, a conversion by the lesson voice 0.75, sound
    without its part over 1 kHz 0.37, a buzz of the same loudness 0.13, another song 0.03.
    """
    frames = min(len(made.units), len(kept.units))
    middles = (np.arange(frames) * RATE / 50 / HOP).round().astype(int)  # frames of units among those of the level
    heard = np.flatnonzero(kept.active[middles.clip(max=len(kept.active) - 1)])
    same = 1 - distance(made.units[heard], kept.units[heard]) if len(heard) >= LEAST_FRAMES else np.nan
    scores = dict(intelligibility=same)
    if whisper is not None:
        from svcnb.evaluate.whisper import changes, transcribe

        said, meant = (transcribe(take.wav16k, whisper) for take in (made, kept))
        scores["word_error"] = changes(said, meant) / len(meant) if meant else np.nan
    return scores


def loudness(made: Take, kept: Take, beside: Take) -> dict[str, float]:
    """How much louder `made` is than `beside`, and whether it swells as `kept` does."""
    frames = min(len(made.level), len(kept.level))
    a, b = (20 * np.log10(np.maximum(x.level[:frames], x.level.max() * 1e-3) + 1e-9) for x in (made, kept))
    heard = kept.active[:frames]
    return dict(
        loudness_difference=audio.loudness(made.wav, RATE) - audio.loudness(beside.wav, RATE),
        loudness_correlation=_correlation(a[heard], b[heard]) if heard.any() else np.nan,
    )


def distances(made: Take, target: Take) -> dict[str, float]:
    """Between spectra, where the target is not silent."""
    frames = min(len(made.mel), len(target.mel))
    heard = target.active[:frames]
    if not heard.any():
        return dict.fromkeys(("mel_distance", "mcd", "envelope_distance"), np.nan)
    a, b = made.mel[:frames][heard], target.mel[:frames][heard]
    return dict(
        mel_distance=float(np.abs(a - b).mean()),
        mcd=aligned_distance(cepstrum(a)[:, 1:25], cepstrum(b)[:, 1:25]),
        envelope_distance=_envelope_distance(made, target),
    )


def likeness(made: Take, other: Take) -> dict[str, float]:
    """How alike the voices are, whatever they sing."""
    scores = dict(timbre_similarity=cosine(made.timbre, other.timbre))
    if voice_encoder() is not None:
        scores["speaker_similarity"] = cosine(made.embedding, other.embedding)
    return scores


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of the angle between two vectors."""
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def aligned_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance in dB of cepstra (T, C) along the best path of time warping."""
    steps = []
    for i in range(0, len(a), DTW_FRAMES):
        x, y = a[i : i + DTW_FRAMES], b[i : i + DTW_FRAMES]
        path = librosa.sequence.dtw(x.T, y.T, metric="euclidean")[1]
        steps.append(np.linalg.norm(x[path[:, 0]] - y[path[:, 1]], axis=1))
    return float(DECIBEL * np.concatenate(steps).mean())


def _envelope_distance(made: Take, target: Take) -> float:
    frames = min(len(made.f0.hz), len(target.f0.hz))
    both = made.f0.voiced[:frames] & target.f0.voiced[:frames] & target.active[:frames]
    if not both.any():
        return np.nan
    a, b = (take.envelope[:frames][both, 1:25] for take in (made, target))
    return float(DECIBEL * np.linalg.norm(a - b, axis=1).mean())


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b))) if a.any() and b.any() else np.nan
