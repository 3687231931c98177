"""Several predictors agree on each frame, and the pitch moves as little as it can, which mends octave jumps.

Every member's pitch is a candidate and, where members disagree, so are its octaves above and below. Votes of members
near a candidate speak for it, a jump from the frame before against it; the best path through all frames wins. A frame
is voiced when half of the votes say so. What all members agree on stands, however far it jumps.

Over clean, noisy, reverberant and accompanied singing together it hits more voiced frames, and judges voicing better,
than each of its members. Where swiftf0, the steadiest of them, hears a voice, about as few frames are wrong as with it
alone, and swiftf0 leaves more out.

Notebook: 02_features
"""

import logging

import numpy as np

from svcnb.f0.postprocess import from_cents, to_cents
from svcnb.f0.predictor import F0Error, Predictor

log = logging.getLogger(__name__)

# Votes of fcpe, swiftf0 and pm; of fcpe, harvest and pm. Chosen on lesson songs that benchmarks/f0_predictors.py does
# not use: swiftf0, which takes one octave for another least, counts most, but any two outvote the third. A chosen pitch
# is taken from the first of them that is near it, so the most accurate comes first.
WITH_SWIFTF0, WITH_HARVEST = (2, 3, 2), (2, 1, 1)
NEAR = 50  # cents: the distance within which members mean the same pitch
OCTAVE = 0.25  # share of the votes that an octave of what a member says must make up for
JUMP = 12.0  # cost of moving by one octave, in shares of the votes
CLOSED = -1e3  # support of a candidate that is only taken where there is no other


class Voted(Predictor):
    """voted: fcpe, swiftf0 and pm together; harvest in place of swiftf0 where that package is missing."""

    def __post_init__(self) -> None:
        from svcnb.f0 import get

        super().__post_init__()
        settings = self.sample_rate, self.hop, self.f0_min, self.f0_max, self.threshold, self.device
        make = lambda name: get(name, *settings, half=self.half)
        try:
            third, votes = make("swiftf0"), WITH_SWIFTF0
        except F0Error as error:
            log.info("The vote goes on without swiftf0, with harvest: %s", error)
            third, votes = make("harvest"), WITH_HARVEST
        self.members = [make("fcpe"), third, make("pm")]
        self.votes = np.array(votes) / sum(votes)

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heard = np.array([member(wav).hz for member in self.members])
        hz = vote(heard, self.votes, self.f0_min, self.f0_max)
        return hz, np.arange(len(hz)) * self.hop / self.sample_rate


def vote(heard: np.ndarray, votes: np.ndarray, f0_min: float, f0_max: float) -> np.ndarray:
    """Pitch (T,) in Hz, 0 where unvoiced, on which members (M, T) with so many `votes` (M,), in all 1, agree."""
    hz = np.zeros(heard.shape[1])
    frames = np.flatnonzero(votes @ (heard > 0) >= 0.5 - 1e-9)
    if len(frames) == 0:
        return hz
    said = to_cents(np.where(heard > 0, heard, np.nan)[:, frames]).T  # (F, M)
    candidates = np.concatenate([said, said + 1200, said - 1200], 1)  # (F, 3 M)
    speaks = np.exp(-0.5 * ((candidates[:, :, None] - said[:, None]) / NEAR) ** 2)
    support = np.nan_to_num(speaks) @ votes
    support[:, len(votes) :] -= OCTAVE
    support[agreed(said), len(votes) :] = CLOSED
    low, high = to_cents([f0_min, f0_max])
    inside = (candidates > low - NEAR) & (candidates < high + NEAR)  # False for NaN
    path = best_path(candidates, np.where(inside, support, CLOSED), frames)
    chosen = candidates[np.arange(len(frames)), path]
    close = np.abs(said - chosen[:, None]) < NEAR
    exact = said[np.arange(len(frames)), close.argmax(1)]
    hz[frames] = from_cents(np.where(close.any(1), exact, chosen))
    return hz


def agreed(said: np.ndarray) -> np.ndarray:
    """Where (F,) all members heard a voice and the same pitch (F, M) in cents; NaN is unvoiced."""
    return said.max(1) - said.min(1) < 2 * NEAR


def best_path(candidates: np.ndarray, support: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Index (F,) of one candidate per frame: most support (F, K), least movement of `candidates` (F, K) in cents."""
    total, back = support[0], np.zeros(support.shape, int)
    for i in range(1, len(support)):
        step = np.abs(np.nan_to_num(candidates[i]) - np.nan_to_num(candidates[i - 1])[:, None])  # (from, to)
        reached = total[:, None] - JUMP / 1200 * step / (frames[i] - frames[i - 1])
        back[i] = reached.argmax(0)
        total = reached.max(0) + support[i]
    path = np.empty(len(support), int)
    path[-1] = total.argmax()
    for i in range(len(support) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path
