"""The key that suits a singer: how far from a song's usual pitch hers lies.

    semitones = key.distance(song, 44100, key.usual_pitch("anna", work))

Notebook: 05_infer
"""

from pathlib import Path

import numpy as np

from svcnb import lesson
from svcnb.f0 import get as pitch
from svcnb.prepare.manifest import Manifest
from svcnb.prepare.report import sung
from svcnb.prepare.scan import speaker_of


def usual_pitch(speaker: str, work: str | Path) -> float | None:
    """Pitch in Hz that a speaker sings half of the time above: in the recordings prepared in a work folder, else in a
    lesson song; None for anybody else."""
    recordings = Manifest.load(Path(work)).recordings.items()
    clips = [clip.file for source, one in recordings if speaker_of(source) == speaker for clip in one.clips]
    hz = sung(Path(work), clips)
    if not len(hz) and speaker in (*lesson.SINGERS, lesson.NEWCOMER):
        truth = lesson.sing(speaker, "row")[1]
        hz = truth.f0[truth.voiced]
    return float(np.median(hz)) if len(hz) else None


def distance(song: np.ndarray, sample_rate: int, hz: float | None) -> int:
    """Semitones from a song's (N,) usual pitch to `hz`, 0 where that is None. Raises ValueError if nothing is sung."""
    if hz is None:
        return 0
    f0 = pitch("fcpe", sample_rate)(song)
    if not f0.voiced.any():
        raise ValueError("Nothing is sung in this song; take one of a voice without instruments.")
    return round(12 * np.log2(hz / np.median(f0.hz[f0.voiced])))
