"""Compare: takes of one song, heard at the same instant one after the other, equally loud; and a blind test.

    takes = Compare({"source": song, "clara": conversion.audio}, 44100)
    takes                    # a cell's last line: play, and press 1 or 2
    takes.score              # after a blind test: Score(right=9, trials=10, p=0.0107…)

Notebook: 05_infer
"""

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb.audio import CEILING, TARGET_LUFS, loudness, true_peak
from svcnb.widgets.base import Widget, flac, module, spectrogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOW, HIGH, ROWS, MOST_COLUMNS = 60.0, 12000.0, 96, 1200  # of the pictures; Hz


@dataclass(frozen=True)
class Score:
    """How a blind test went."""

    right: int
    trials: int

    @property
    def p(self) -> float:
        """How likely as many right answers, or more, are by guessing."""
        return sum(comb(self.trials, k) for k in range(self.right, self.trials + 1)) / 2**self.trials


class Compare(Widget):
    """Named takes (N,) of the same song, at matched loudness."""

    DEEDS = "begin", "answer", "end"
    _esm = module("compare.js")
    names = t.List(t.Unicode()).tag(sync=True)
    sounds = t.List(t.Bytes()).tag(sync=True)  # flac files
    seconds = t.Float().tag(sync=True)  # of the longest
    lufs = t.List(t.Float(allow_none=True)).tag(sync=True)  # as they came; None: silent
    gains = t.List(t.Float()).tag(sync=True)  # dB that matching added to each
    pictures = t.List(t.Bytes()).tag(sync=True)  # levels 0 to 255, (rows, columns), the highest first
    shape = t.List(t.Int()).tag(sync=True)
    bounds = t.List(t.Float()).tag(sync=True)  # Hz of the pictures' edges
    trial = t.Dict().tag(sync=True)  # of the blind test: number, the names of a and b, the sound of x; never the answer

    def __init__(self, takes: dict[str, np.ndarray], sample_rate: int, seed: int | None = None):
        """seed: of the blind test's draws; None for new ones each time. Raises ValueError without takes."""
        if not takes or any(np.ndim(wav) != 1 or not len(wav) for wav in takes.values()):
            raise ValueError("Compare needs takes by name, each an array (N,) with at least one sample.")
        self._takes = {name: np.asarray(wav, np.float32) for name, wav in takes.items()}
        self._sample_rate, self._random = sample_rate, np.random.default_rng(seed)
        self._answers: list[bool] = []
        self._x = ""
        lufs, gains = _matched(self._takes, sample_rate)
        length = max(map(len, self._takes.values()))
        sounds = [wav * 10 ** (gain / 20) for wav, gain in zip(self._takes.values(), gains, strict=True)]
        padded, bounds = [np.pad(wav, (0, length - len(wav))) for wav in sounds], (LOW, min(HIGH, sample_rate / 2))
        pictures = [spectrogram(wav, sample_rate, *bounds, ROWS, MOST_COLUMNS) for wav in padded]
        super().__init__(
            names=list(self._takes),
            sounds=[flac(wav, sample_rate) for wav in sounds],
            seconds=length / sample_rate,
            lufs=[float(level) if np.isfinite(level) else None for level in lufs],
            gains=gains,
            pictures=[picture.tobytes() for picture in pictures],
            shape=list(pictures[0].shape),
            bounds=list(bounds),
        )

    @property
    def score(self) -> Score:
        """Of the blind test so far."""
        return Score(sum(self._answers), len(self._answers))

    def begin(self, a: str, b: str) -> None:
        """Begin a blind test: X is one of two takes, and the listener is to say which. Raises ValueError."""
        if a == b or not {a, b} <= self._takes.keys():
            raise ValueError(f"A blind test needs two different takes of {', '.join(self._takes)}.")
        self._answers = []
        self._next(a, b)

    def answer(self, name: str) -> None:
        """The listener says which take X is; then comes the next X. Raises ValueError if no test runs."""
        if not self.trial or name not in (self.trial["a"], self.trial["b"]):
            raise ValueError("There is no such choice now; begin a blind test first.")
        self._answers.append(name == self._x)
        self._next(self.trial["a"], self.trial["b"])

    def end(self) -> None:
        """End the blind test and say how it went."""
        score, self.trial = self.score, {}
        self.said = f"{score.right} of {score.trials} right; by guessing, as many or more come with p = {score.p:.2g}."

    def figure(self) -> "Figure":
        """The takes' spectrograms, one under the other."""
        from svcnb.plots import takes

        return takes(self._takes, self._sample_rate)

    def _next(self, a: str, b: str) -> None:
        self._x = (a, b)[self._random.integers(2)]
        number = len(self._answers) + 1
        self.trial = {"number": number, "a": a, "b": b, "x": self.sounds[self.names.index(self._x)]}
        self.said = f"Trial {number}: is X {a} or {b}?"


def _matched(takes: dict[str, np.ndarray], sample_rate: int) -> tuple[list[float], list[float]]:
    """Loudness of each take in LUFS, and the dB that bring all to one loudness at which none clips."""
    lufs = [loudness(wav, sample_rate) for wav in takes.values()]
    room = [
        20 * np.log10(CEILING / true_peak(wav)) if np.isfinite(lu) else np.inf
        for wav, lu in zip(takes.values(), lufs, strict=True)
    ]
    target = min([TARGET_LUFS, *(level + spare for level, spare in zip(lufs, room, strict=True) if np.isfinite(level))])
    return lufs, [float(target - level) if np.isfinite(level) else 0.0 for level in lufs]
