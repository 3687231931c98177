"""How far a pitch curve is from the truth.

Notebook: 02_features
"""

from dataclasses import dataclass

import numpy as np

from svcnb.f0.predictor import F0

GROSS, OCTAVE = 50, 600  # cents


@dataclass(frozen=True)
class Errors:
    """Of one curve against the truth; NaN where no frame is voiced in both."""

    cents: float  # median error where both are voiced
    gross: float  # share of those frames over 50 cents off
    octave: float  # share of those frames over 600 cents off
    vuv: float  # share of all frames whose voicing is wrong
    right: float  # share of the truth's voiced frames that are voiced and within 50 cents

    def __str__(self) -> str:
        return f"{self.cents:5.1f} cents, {self.gross:6.1%} over {GROSS} cents, voicing wrong in {self.vuv:6.1%}"


def errors(found: F0, truth: np.ndarray) -> Errors:
    """Errors of a curve against true pitch (T,) in Hz, 0 where unvoiced. Raises ValueError for other lengths."""
    if found.hz.shape != np.shape(truth):
        raise ValueError(f"The curve has {len(found.hz)} frames and the truth {len(truth)}; cut them to one length.")
    both = found.voiced & (truth > 0)
    cents = np.abs(1200 * np.log2(found.hz[both] / truth[both]))
    mean = lambda values: float(np.mean(values)) if len(values) else np.nan
    return Errors(
        cents=float(np.median(cents)) if both.any() else np.nan,
        gross=mean(cents > GROSS),
        octave=mean(cents > OCTAVE),
        vuv=mean(found.voiced != (truth > 0)),
        right=float(np.sum(cents <= GROSS) / np.sum(truth > 0)) if np.any(truth > 0) else np.nan,
    )
