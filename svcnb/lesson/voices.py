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
        Singer("bruno", -12, 0.87, (0.94, 1.02, 0.99, 0.93, 0.94), 0.66, 7000, 0.014, 0.80, 4900,
               vibrato=(5.2, 45, 0.30), seed=33),
        Singer("tomas", -7, 1.07, (0.98, 1.05, 0.99, 0.96, 0.93), 0.43, 3500, 0.013, 0.84, 6200,
               vibrato=(6.3, 30, 0.45), glide=6, seed=18),
        Singer("clara", 0, 1.14, (0.93, 0.95, 0.93, 1.07, 1.02), 0.83, 2900, 0.015, 1.28, 4100, jitter=0.003,
               vibrato=(5.8, 60, 0.22), seed=19),
        Singer("mina", 4, 1.30, (0.98, 1.01, 1.04, 0.96, 0.96), 0.46, 3400, 0.010, 0.83, 4300, jitter=0.003,
               vibrato=(5.0, 15, 0.60), seed=52),
    ]
}  # fmt: skip


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
        dip=rng.uniform(3900, 6400), nasal=rng.choice([0, rng.uniform(0, 0.4)]), jitter=0.002 * 4 ** rng.uniform(),
        shimmer=0.02 * 4 ** rng.uniform(), habit=rng.uniform(0.02, 0.06),
        vibrato=(rng.uniform(4.8, 6.6), rng.uniform(10, 65), rng.uniform(0.2, 0.6)), scoop=rng.uniform(0.2, 1.4),
        glide=rng.uniform(3.5, 7), seed=int(rng.integers(1, 1 << 30)),
    )  # fmt: skip


def semitones(source: Singer | str, target: Singer | str) -> int:
    """Key shift that takes a song from the source singer's tessitura to the target's."""
    return _singer(target).transpose - _singer(source).transpose


def _singer(singer: Singer | str) -> Singer:
    return SINGERS[singer] if isinstance(singer, str) else singer
