"""The lesson singers: what makes one voice differ from another, as a handful of numbers.

Notebook: 01_data
"""

from dataclasses import dataclass


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
        Singer("clara", 0, 1.14, (0.93, 0.95, 0.93, 1.07, 1.02), 0.83, 2900, 0.015, 1.28, 4100, 0.003,
               vibrato=(5.8, 60, 0.22), seed=19),
        Singer("mina", 4, 1.30, (0.98, 1.01, 1.04, 0.96, 0.96), 0.46, 3400, 0.010, 0.83, 4300, 0.003,
               vibrato=(5.0, 15, 0.60), seed=52),
    ]
}  # fmt: skip


def semitones(source: Singer | str, target: Singer | str) -> int:
    """Key shift that takes a song from the source singer's tessitura to the target's."""
    return _singer(target).transpose - _singer(source).transpose


def _singer(singer: Singer | str) -> Singer:
    return SINGERS[singer] if isinstance(singer, str) else singer
