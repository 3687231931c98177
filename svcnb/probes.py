"""What units know: simple readers are taught to read the word, the singer or the pitch off them, and are then examined.

A linear reader (Alain and Bengio 2016) can only find what lies open in the units. Good units for conversion tell the
word and hide the singer.

Notebook: 02_features
"""

import numpy as np

from svcnb.lesson.phones import CONSONANTS, VOWELS

KINDS = {  # of consonants, by how they are made
    "nasal": "m n ng", "glide": "l r w y", "hiss": "s z sh f v th dh h br", "burst": "p t k b d g ch jh dx",
}  # fmt: skip


def accuracy(taught: np.ndarray, answers: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """Share of right answers of a linear classifier taught on units (N, D), asked about others (M, D)."""
    from sklearn.linear_model import LogisticRegression

    mean, std = _scale(taught)
    reader = LogisticRegression(C=0.1, tol=1e-2, max_iter=300).fit((taught - mean) / std, answers)
    return float((reader.predict((asked - mean) / std) == truth).mean())


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
