"""What can be heard in a recording before anyone learns from it: clipping, silence, noise, bandwidth.

Notebook: 01_data
"""

import numpy as np
from pydantic import BaseModel

from svcnb.prepare.plan import Loudness

STEP = 6e-5  # samples this near the peak, relative to it, count as cut off there: two steps of 16 bit


class Quality(BaseModel):
    """Measurements of a recording."""

    seconds: float
    sample_rate: int  # of the file
    clipped: float  # share of samples that are cut off at full scale
    silent: float  # share of time without sound
    snr: float | None  # dB from the quiet moments up to the sung ones; None if nothing is quiet


def measure(wav: np.ndarray, sample_rate: int, loudness: Loudness) -> Quality:
    """Measure wav (N,) in its own rate and level."""
    return Quality(
        seconds=len(wav) / sample_rate,
        sample_rate=sample_rate,
        clipped=clipped_share(wav),
        silent=float(1 - loudness.voiced.mean()),
        snr=_snr(loudness),
    )


def clipped_share(wav: np.ndarray) -> float:
    """Share of samples in runs of three and more at the peak: sound turns there, it does not rest."""
    peak = np.abs(wav).max(initial=0)
    if peak == 0:
        return 0.0
    at_peak = np.abs(wav) >= peak * (1 - STEP)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_peak.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= 3].sum() / len(wav))


def _snr(loudness: Loudness) -> float | None:
    quiet = loudness.level[~loudness.voiced]
    if len(quiet) < 20 or not loudness.voiced.any():
        return None
    return float(np.median(loudness.level[loudness.voiced]) - np.percentile(quiet, 10))
