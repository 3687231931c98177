"""How good a conversion is, in numbers: does it keep melody and words, and does it sound like the target?

Traps, all met in practice:
- Pitch trackers slip by octaves. One slip ruins correlation and rmse, so judge by the median error and the gross share.
- A buzz at the right level beats the untouched source in plain mel-cepstral distortion, and a speech quality network
  prefers it, too. Read distances beside F0, voicing and intelligibility, and listen.
- Distances need a parallel target: the same song, sung in time. Two true singers differ already; compare with the
  distances of the untouched source (`compare(source, reference, source)`), not with zero.
- Level is not timbre: distances here are taken after matching levels, and loudness is its own line.
- A score that was maximised says nothing any more. Keep one measure out of the training and the choosing.

Notebook: 05_infer
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from svcnb.evaluate.measures import cosine, distances, likeness, loudness, melody, words
from svcnb.evaluate.take import HOP, RATE, Take, voice_encoder

__all__ = ["HOP", "RATE", "Scores", "compare", "speaker_similarity", "timbre_similarity"]


@dataclass(frozen=True)
class Scores:
    """Of a conversion; None where there is nothing to compare with, NaN where no frame allows it."""

    f0_median_cents: float | None = None  # pitch error, half of the frames are better; 5 is inaudible
    f0_gross: float | None = None  # share of frames over 50 cents off
    f0_rmse_cents: float | None = None
    f0_correlation: float | None = None  # of log F0
    vuv_error: float | None = None  # share of frames voiced in one only
    intelligibility: float | None = None  # 1: the lesson encoder hears the same sounds; 0: as in frames at random
    word_error: float | None = None  # of Whisper's tokens, changes needed per token; needs a file of Whisper
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
    whisper: str | Path | None = None,
) -> Scores:
    """Score a conversion against the true target, the source, or both; files, or arrays (N,) at `sample_rate`.

    reference: the target singer's own rendition of the song, in time with the source. Distances, timbre and loudness
    are against it. source: what was converted, by `semitones`. Melody, voicing, words and loudness over time are what
    the conversion should keep, so they are against the source; without one, against the reference as it is. f0: pitch
    predictor. whisper: OpenAI's file of a Whisper model, whose words are compared. Raises ValueError when there is
    nothing to compare with, EncoderError or CheckpointError for a file that is no Whisper model.
    """
    if reference is None and source is None:
        raise ValueError("Give a reference (the target singer's rendition), the source, or both to compare with.")
    made, target, origin = (None if x is None else Take(x, sample_rate, f0) for x in (converted, reference, source))
    kept, shift = (target, 0) if origin is None else (origin, semitones)
    scores = melody(made, kept, shift) | words(made, kept, whisper) | loudness(made, kept, target or origin)
    if target is not None:
        scores |= distances(made, target) | likeness(made, target)
    if origin is not None:
        scores |= {f"{name}_source": value for name, value in likeness(made, origin).items()}
    return Scores(**scores)


def timbre_similarity(a: np.ndarray, b: np.ndarray, sample_rate: int = RATE) -> float:
    """How alike two voices colour their vowels, -1 to 1: the cosine between long-term envelopes, less an average voice.

    The envelope is WORLD's, without harmonics, of voiced frames, as cepstrum c1 to c16 of 80 mel bands up to 12 kHz:
    level and pitch count little; equaliser, microphone and singing technique do. Measured on eleven voices in 47 songs
    (four of a speech synthesizer, four lesson singers, three real ones in nine techniques): one voice in two songs 0.81
    (down to 0.13 between two techniques of one singer), two voices -0.05 (up to 0.85); 0.5 parts them, with one pair
    in twenty on the wrong side. So it can say that a conversion went the right way, not who is singing.
    """
    return cosine(Take(a, sample_rate).timbre, Take(b, sample_rate).timbre)


def speaker_similarity(a: np.ndarray, b: np.ndarray, sample_rate: int = RATE) -> float | None:
    """Cosine of resemblyzer's voice embeddings, 0 to 1, or None where that package is not installed (extra `eval`).

    Trained on speech. Singers of one song: about 0.95 for one voice in two songs, 0.65 to 0.85 for two voices.
    """
    if voice_encoder() is None:
        return None
    return cosine(Take(a, sample_rate).embedding, Take(b, sample_rate).embedding)
