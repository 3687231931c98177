"""What units know: simple readers are taught to read the word, the singer or the pitch off them, and are then examined.

A linear reader (Alain and Bengio 2016) can only find what lies open in the units. Good units for conversion tell the
word and hide the singer.

Notebook: 02_features
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from svcnb.lesson import PHONES, Truth
from svcnb.lesson.phones import CONSONANTS, VOWELS

KINDS = {  # of consonants, by how they are made
    "nasal": "m n ng", "glide": "l r w y", "hiss": "s z sh f v th dh h br", "burst": "p t k b d g ch jh dx",
}  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """What readers found in units of a song that they had not been taught on."""

    sound: float  # share of frames whose kind of sound was named rightly
    singer: float  # share of voiced frames whose singer was named rightly
    pitch: float  # share of the variance of the pitch that was found; 0 or less: nothing

    def __str__(self) -> str:
        return f"kind of sound {self.sound:4.0%}, singer {self.singer:4.0%}, pitch {max(0, self.pitch):4.0%}"


def examine(units: Sequence[np.ndarray], truths: Sequence[Truth]) -> Marks:
    """Marks of units (T, D) with the truth of as many frames: a song of each singer, then, in the same order, another.

    The readers are taught on the first half and examined on the second. Raises ValueError without such halves.
    """
    if len(units) < 4 or len(units) % 2 or len(units) != len(truths):
        raise ValueError(f"Two songs of two singers at least are needed, each with its truth; here are {len(units)}.")
    count = len(units) // 2
    cut = [min(len(table), len(truth.f0)) for table, truth in zip(units, truths, strict=True)]
    join = lambda rows, half: np.concatenate([row[:n] for row, n in zip(rows, cut, strict=True)][half])
    taught, asked = slice(None, count), slice(count, None)
    kinds = [np.array([kind(PHONES[phone]) for phone in truth.phone]) for truth in truths]
    singers = [np.full(len(truth.f0), number % count) for number, truth in enumerate(truths)]
    pitches = [12 * np.log2(truth.f0) for truth in truths]
    sung = [join([truth.voiced for truth in truths], half) for half in (taught, asked)]
    table = join(units, taught), join(units, asked)
    voiced = table[0][sung[0]], table[1][sung[1]]
    return Marks(
        accuracy(table[0], join(kinds, taught), table[1], join(kinds, asked)),
        accuracy(voiced[0], join(singers, taught)[sung[0]], voiced[1], join(singers, asked)[sung[1]]),
        explained(voiced[0], join(pitches, taught)[sung[0]], voiced[1], join(pitches, asked)[sung[1]]),
    )


def log_mel(wav: np.ndarray, sample_rate: int, hop: int, bands: int = 64) -> np.ndarray:
    """A spectrogram (N // hop, bands) in dB on the mel scale: units that forget nothing, to compare with."""
    import librosa

    mel = librosa.feature.melspectrogram(y=wav, sr=sample_rate, n_fft=2048, hop_length=hop, n_mels=bands, fmax=12000)
    return librosa.power_to_db(mel, ref=np.max, top_db=80).T[: len(wav) // hop]


def accuracy(taught: np.ndarray, answers: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """Share of right answers of a linear classifier taught on units (N, D), asked about others (M, D)."""
    return float((reader(taught, answers)(asked) == truth).mean())


def reader(taught: np.ndarray, answers: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A linear classifier taught on units (N, D) and their answers (N,), as a function of other units (M, D)."""
    from sklearn.linear_model import LogisticRegression

    mean, std = _scale(taught)
    model = LogisticRegression(C=0.1, tol=1e-2, max_iter=300).fit((taught - mean) / std, answers)
    return lambda asked: model.predict((asked - mean) / std)


def explained(taught: np.ndarray, values: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance of a value that ridge regression, taught on units (N, D), finds in others (M, D)."""
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    mean, std = _scale(taught)
    return float(r2_score(truth, Ridge(10).fit((taught - mean) / std, values).predict((asked - mean) / std)))


def distance(a: np.ndarray, b: np.ndarray, seed: int = 0) -> float:
    """How far two renditions (T, D) are apart, frame by frame: 0 the same, 1 no nearer than frames taken at random."""
    frames = min(len(a), len(b))
    mean, std = _scale(np.concatenate([a, b]))
    a, b = (a[:frames] - mean) / std, (b[:frames] - mean) / std
    shuffled = np.random.default_rng(seed).permutation(frames)
    return float(np.linalg.norm(a - b, axis=1).mean() / np.linalg.norm(a - b[shuffled], axis=1).mean())


def kind(phone: str) -> str:
    """What kind of sound a phone of the lesson singers is: vowel, nasal, glide, hiss, burst or silence.

    Raises ValueError for none of theirs.
    """
    if phone and phone not in VOWELS and phone not in CONSONANTS:
        raise ValueError(f"There is no phone {phone!r}; there are {', '.join([*VOWELS, *CONSONANTS])}.")
    found = (name for name, phones in KINDS.items() if phone in phones.split())
    return next(found, "vowel" if phone else "silence")


def _scale(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return units.mean(0), units.std(0) + 1e-6
