"""The lesson singers: what makes one voice differ from another, as a handful of numbers.

Notebook: 01_data
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Singer:
    """One voice. The first block is its body, the second its manner of singing."""

    name: str
    transpose: int  # semitones from the written score: the tessitura
    tract: float  # formant scale: 1 an adult male, 1.17 a female, 1.3 a child
    shift: tuple[float, ...]  # this singer's own factors on F1..F5
    open_quotient: float  # share of the period with the glottis open: .4 pressed, .8 lax
    tilt: float  # Hz above which the source loses another 6 dB per octave
    breath: float  # level of aspiration against the voice
    width: float = 1.0  # factor on the formant bandwidths
    dip: float = 4900  # Hz where the piriform pockets beside the larynx take energy away
    nasal: float = 0  # how far the velum always hangs open: 0 closed, 1 as in an m
    jitter: float = 0.004  # spread of the pulse times, in periods
    shimmer: float = 0.04  # spread of the pulse amplitudes
    habit: float = 0.03  # spread of this singer's own formant targets

    vibrato: tuple[float, float, float] = (5.5, 40, 0.3)  # rate in Hz, depth in cents, delay in s
    scoop: float = 0.8  # semitones below the note where a phrase begins
    glide: float = 4.5  # Hz: speed of the pitch control
    seed: int = 0


SINGERS = {
    singer.name: singer
    for singer in [
        Singer("bruno", -14, 0.96, (0.88, 0.95, 1.00, 1.00, 0.97), 0.64, 6800, 0.024, 1.16, 4100, 0.22,
               0.004, 0.038, 0.043, vibrato=(5.4, 45, 0.37), scoop=1.2, glide=5.0, seed=308482583),
        Singer("emil", -7, 0.806, (0.92, 1.03, 0.92, 1.13, 1.17), 0.47, 6248, 0.009, 0.86, 6400, 0.00,
               0.006, 0.060, 0.025, vibrato=(6.2, 50, 0.28), scoop=0.9, glide=5.7, seed=336855866),
        Singer("tomas", -6, 1.35, (0.98, 0.97, 0.91, 0.88, 1.10), 0.68, 5900, 0.005, 1.19, 5300, 0.50,
               0.002, 0.027, 0.041, vibrato=(6.0, 31, 0.38), scoop=1.2, glide=3.6, seed=725046266),
        Singer("clara", -2, 1.03, (1.06, 0.97, 1.05, 1.01, 0.96), 0.40, 4800, 0.005, 1.27, 5600, 0.01,
               0.005, 0.026, 0.045, vibrato=(5.5, 33, 0.50), scoop=0.4, glide=6.7, seed=289523985),
        Singer("vera", 1, 1.10, (0.91, 0.99, 0.99, 1.12, 1.12), 0.80, 2600, 0.008, 1.20, 4600, 0.38,
               0.004, 0.067, 0.039, vibrato=(5.0, 20, 0.57), scoop=0.6, glide=5.9, seed=771848013),
        Singer("mina", 6, 1.26, (1.09, 1.13, 1.13, 1.11, 1.03), 0.40, 2500, 0.007, 0.97, 6400, 0.00,
               0.004, 0.021, 0.032, vibrato=(6.3, 60, 0.45), scoop=0.4, glide=6.2, seed=518252509),
    ]
}  # fmt: skip

NEWCOMER = "lena"  # a singer whom the lesson voice has not met: to train it further with
_NEWCOMER = Singer(NEWCOMER, -6, 1.187, (0.96, 1.04, 0.92, 1.07, 1.07), 0.42, 2300, 0.016, 0.80, 6400, 0.00,
                   0.008, 0.020, 0.024, vibrato=(5.1, 47, 0.40), scoop=0.9, glide=5.1, seed=15703976)  # fmt: skip


def random_singer(rng: np.random.Generator, name: str = "anyone") -> Singer:
    """A singer whom nobody has met. Formants keep apart and the source stays a little soft, as in real ones."""
    tract = rng.uniform(0.82, 1.36)
    while True:
        shift = rng.normal(1, (0.05, 0.05, 0.05, 0.06, 0.05)).round(3)
        if 4350 * shift[4] - 3450 * shift[3] > 550 and 3450 * shift[3] - 3000 * shift[2] > 300:
            break
    height = 36 * (tract - 1.1) + rng.normal(-3, 3)  # a short tract mostly sings high
    return Singer(
        name, int(np.clip(round(height), -15, 6)), tract, tuple(shift.tolist()), rng.uniform(0.4, 0.85),
        tilt=rng.uniform(2500, 7500), breath=0.005 * 8 ** rng.uniform(), width=rng.uniform(0.8, 1.35),
        dip=rng.uniform(3900, 6400), nasal=max(0, rng.uniform(-0.4, 0.4)),
        jitter=0.002 * 4 ** rng.uniform(), shimmer=0.02 * 4 ** rng.uniform(), habit=rng.uniform(0.02, 0.06),
        vibrato=(rng.uniform(4.8, 6.6), rng.uniform(10, 65), rng.uniform(0.2, 0.6)), scoop=rng.uniform(0.2, 1.4),
        glide=rng.uniform(3.5, 7), seed=int(rng.integers(1, 1 << 30)),
    )  # fmt: skip


def semitones(source: Singer | str, target: Singer | str) -> int:
    """Key shift that takes a song from the source singer's tessitura to the target's."""
    return find(target).transpose - find(source).transpose


def find(singer: Singer | str) -> Singer:
    """A lesson singer or the newcomer by name; any other singer is returned as is. Raises KeyError."""
    known = SINGERS | {NEWCOMER: _NEWCOMER}
    if isinstance(singer, str) and singer not in known:
        raise KeyError(f"There is no lesson singer {singer}; there are {', '.join(known)}.")
    return known[singer] if isinstance(singer, str) else singer
