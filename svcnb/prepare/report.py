"""The data report: what was recorded, speaker by speaker, and plain advice on it.

Notebook: 01_data
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import safe_open

from svcnb.dataset import features_path
from svcnb.prepare.advice import advise
from svcnb.prepare.manifest import Manifest, Recording
from svcnb.prepare.scan import DataError, Problems, speaker_of

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass
class SpeakerReport:
    """One speaker: clips and how long they are together, pitch in Hz, shares from 0 to 1, noise in dB."""

    clips: list[str]
    minutes: float
    low: float  # pitch that 5 % of the sung time is below
    median: float
    high: float  # and 5 % above
    sung: float  # share of the clips that has a pitch
    clipped: float  # share of samples cut off at full scale
    silent: float  # share of the recordings without sound, most of which was cut away
    snr: float | None  # dB between the quiet moments and the sung ones
    sample_rate: int  # lowest of the recordings


@dataclass
class DataReport:
    """What `prepare` found and made; printed, a table with advice. `skipped` names files that are not used, and why."""

    speakers: dict[str, SpeakerReport]
    skipped: list[tuple[str, str]]
    new_clips: int = 0  # made in this run, the others were there
    new_features: int = 0
    train: int = 0  # clips to train on
    val: int = 0  # clips to listen to in training
    advice: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, work: Path, manifest: Manifest, skipped: Problems) -> "DataReport":
        """Read the features of all clips. Raises DataError when there is no clip that has them."""
        recordings: dict[str, list[Recording]] = defaultdict(list)
        for source, recording in sorted(manifest.recordings.items()):
            recordings[speaker_of(source)].append(recording)
        skipped = list(skipped)
        reports = {speaker: _speaker(work, found, skipped) for speaker, found in sorted(recordings.items())}
        speakers = {speaker: report for speaker, report in reports.items() if report}
        if not speakers:
            raise DataError("None of the recordings can be used. " + " ".join(reason for _, reason in skipped[:3]))
        return cls(speakers, skipped, advice=advise(speakers, skipped))

    @property
    def minutes(self) -> float:
        """Length of all clips."""
        return sum(speaker.minutes for speaker in self.speakers.values())

    def clips(self) -> dict[str, list[str]]:
        """Files of the clips of each speaker, relative to the work folder."""
        return {name: speaker.clips for name, speaker in self.speakers.items()}

    def __str__(self) -> str:
        rows = [("speaker", "clips", "minutes", "low", "median", "high", "clipped", "silence", "noise")]
        rows += [_row(name, speaker) for name, speaker in self.speakers.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        made = f"{self.train} clips to train on, {self.val} to check with; {self.new_clips} clips and features of "
        made += f"{self.new_features} were made in this run."
        skipped = [f"Not used: {reason}" for _, reason in self.skipped]
        return "\n".join([*table, "", made, *skipped, *self.advice])


def _speaker(work: Path, recordings: list[Recording], skipped: Problems) -> SpeakerReport | None:
    """What there is of one speaker; None if no clip has features and a pitch."""
    clips, pitches = [], []
    for clip in [clip for recording in recordings for clip in recording.clips]:
        if not features_path(work / clip.file).exists():
            continue  # could not be made, and is in `skipped`
        pitches.append(_pitch(work / clip.file))
        if pitches[-1][1].any():
            clips.append(clip)
        else:
            pitches.pop()
            skipped.append((clip.file, f"{clip.file} has no pitch anywhere; it seems to be breath or noise."))
    if not clips:
        return None
    pitch, voiced = (np.concatenate(curves) for curves in zip(*pitches, strict=True))
    low, median, high = np.percentile(pitch[voiced > 0], [5, 50, 95]).tolist()
    qualities = [recording.quality for recording in recordings]
    seconds = np.array([quality.seconds for quality in qualities])
    noise = [quality.snr for quality in qualities if quality.snr is not None]
    return SpeakerReport(
        clips=[clip.file for clip in clips],
        minutes=sum(clip.seconds for clip in clips) / 60,
        low=low,
        median=median,
        high=high,
        sung=float(voiced.mean()),
        clipped=float(np.average([quality.clipped for quality in qualities], weights=seconds)),
        silent=float(np.average([quality.silent for quality in qualities], weights=seconds)),
        snr=float(np.median(noise)) if noise else None,
        sample_rate=min(quality.sample_rate for quality in qualities),
    )


def _pitch(clip: Path) -> tuple[np.ndarray, np.ndarray]:
    with safe_open(features_path(clip), "np") as file:
        return file.get_tensor("f0"), file.get_tensor("uv")


def sung(work: Path, clips: Iterable[str]) -> np.ndarray:
    """Pitch in Hz of all voiced frames of those clips that have features."""
    found = [_pitch(work / clip) for clip in clips if features_path(work / clip).exists()]
    return np.concatenate([np.zeros(0), *(pitch[voiced > 0] for pitch, voiced in found)])


def _row(name: str, speaker: SpeakerReport) -> tuple[str, ...]:
    return (
        name,
        str(len(speaker.clips)),
        f"{speaker.minutes:.1f}",
        *(f"{note(hz)} {hz:.0f} Hz" for hz in (speaker.low, speaker.median, speaker.high)),
        f"{speaker.clipped:.2%}",
        f"{speaker.silent:.0%}",
        "?" if speaker.snr is None else f"-{speaker.snr:.0f} dB",
    )


def note(hz: float) -> str:
    """Name of the note nearest to a pitch, A4 = 440 Hz."""
    number = round(69 + 12 * np.log2(hz / 440))
    return f"{NOTES[number % 12]}{number // 12 - 1}"
