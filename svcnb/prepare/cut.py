"""First half of the work: recordings become clips, 44.1 kHz, mono, 16 bit, trimmed and levelled.

Loudness is levelled per recording, not per clip as in the original: a soft phrase stays softer than a loud one.

Notebook: 01_data
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np

from svcnb import audio
from svcnb.dataset import features_path
from svcnb.prepare.manifest import Clip, Manifest, Recording, Stamp
from svcnb.prepare.plan import LEAST, Loudness, plan_clips
from svcnb.prepare.quality import measure
from svcnb.prepare.scan import Problems, clip_names, speaker_of
from svcnb.prepare.workers import Workers

VERSION = 1  # of the rules by which recordings are cut; another one cuts everything anew


@dataclass(frozen=True)
class Task:
    """A recording to cut: `source` relative to `raw`, `name` that its clips begin with."""

    raw: Path
    work: Path
    source: str
    name: str
    loudness: str
    sample_rate: int
    stamp: Stamp

    @property
    def cutting(self) -> str:
        """What the clips depend on beside the recording."""
        return f"{VERSION} {self.loudness} {self.sample_rate}"


def cut_recordings(
    raw: Path, work: Path, sources: list[str], loudness: str, sample_rate: int, manifest: Manifest, workers: Workers
) -> tuple[int, Problems]:
    """Cut what is new or changed, remove the clips of what is gone: the number of new clips, and the unusable files."""
    for gone in set(manifest.recordings) - set(sources):
        remove_clips(work, manifest.recordings.pop(gone).clips)
    names = clip_names(sources, {source: known.name for source, known in manifest.recordings.items()})
    tasks = [Task(raw, work, s, names[s], loudness, sample_rate, Stamp.of(raw / s)) for s in sources]
    tasks = [task for task in tasks if not manifest.is_current(work, task.source, task.stamp, task.cutting)]
    tasks.sort(key=lambda task: -task.stamp.size)  # the longest first, so that no process is left alone with it
    made, problems = 0, []
    try:
        for task, outcome in workers.run(cut_recording, tasks):
            if isinstance(outcome, str):
                problems.append((task.source, outcome))
            made += _take_over(work, task.source, outcome, manifest)
            manifest.save_now_and_then(work)
    finally:  # also when interrupted: what is done stays done
        manifest.save(work)
    return made, sorted(problems)


def _take_over(work: Path, source: str, outcome: Recording | str, manifest: Manifest) -> int:
    """Put new clips in the place of those that the recording had; their number."""
    old = manifest.recordings.pop(source, None)
    clips = outcome.clips if isinstance(outcome, Recording) else []
    if isinstance(outcome, Recording):
        manifest.recordings[source] = outcome
    files = {clip.file for clip in clips}
    remove_clips(work, [clip for clip in (old.clips if old else []) if clip.file not in files])
    return len(clips)


def remove_clips(work: Path, clips: Iterable[Clip]) -> None:
    """Delete clips and their features, and the folder of a speaker who has none left."""
    for clip in clips:
        path = work / clip.file
        path.unlink(missing_ok=True)
        features_path(path).unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


def cut_recording(task: Task) -> Recording | str:
    """Write the clips of one recording; why it is not used, where it cannot be."""
    path = task.raw / task.source
    try:
        wav, rate = audio.load(path)
    except audio.AudioError as error:
        return str(error)
    loudness = Loudness.of(wav, rate)
    if not loudness.voiced.any():
        return f"{path} is silent; record it again."
    clips = render(wav, rate, plan_clips(wav, rate, loudness), task.sample_rate, task.loudness)
    clips = [clip for clip in clips if len(clip) >= LEAST * task.sample_rate]
    if not clips:
        return f"{path} has no {LEAST} s of sound in one piece; join it with others or record more."
    folder = f"dataset/44k/{speaker_of(task.source)}"
    made = []
    for i, clip in enumerate(clips):
        file = f"{folder}/{task.name}_{i:03d}.wav"
        audio.save(task.work / file, clip, task.sample_rate)
        made.append(Clip.of(task.work, file, len(clip) / task.sample_rate))
    quality = measure(wav, rate, loudness)
    return Recording(stamp=task.stamp, cutting=task.cutting, name=task.name, clips=made, quality=quality)


def render(
    wav: np.ndarray, rate: int, pieces: list[tuple[int, int]], sample_rate: int, loudness: str
) -> list[np.ndarray]:
    """Pieces (start, end) of wav (N,) as clips: trimmed at 40 dB under the peak, resampled, levelled together."""
    if not pieces:
        return []
    peak = np.abs(wav).max()
    if peak > 1:  # of a float file; else it would be clipped where loudness is left alone
        wav = wav * (0.98 / peak)
    trimmed = [librosa.effects.trim(wav[start:end], top_db=40)[0] for start, end in pieces]
    clips = [audio.resample(clip, rate, sample_rate) for clip in trimmed]
    levelled = audio.normalize(np.concatenate(clips), sample_rate, loudness)
    return np.split(levelled, np.cumsum([len(clip) for clip in clips])[:-1])
