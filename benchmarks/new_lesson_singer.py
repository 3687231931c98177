"""A minute of a singer whom the lesson voice has not met becomes a voice: seconds, steps and scores along the way.

    OMP_NUM_THREADS=2 python -m benchmarks.new_lesson_singer WORK
    OMP_NUM_THREADS=2 python -m benchmarks.new_lesson_singer OTHER --lora 8

The newcomer sings two songs; training starts from the lesson voice and stops after five minutes. Seconds are those of
training alone, without the pauses for scoring. The scores are of the held-out song `row`, sung by two singers of the
lesson and converted to the newcomer, against what the newcomer sings in their manner.
"""

import time
from pathlib import Path

import numpy as np
import typer

from svcnb import lesson
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.prepare import prepare
from svcnb.training import train_sovits
from svcnb.training.sovits import LOGS

MINUTE = ("kitchen", "grace")  # together 58 seconds
SOURCES, SONG = ("emil", "vera"), "row"
MARKS = (60, 120, 180, 300)  # seconds of training after which the voice is scored
EVERY = 25  # steps between two savings: a voice can only be scored when it has been saved


def main(work: Path, lora: int = 0, rate: float = lesson.NEW_SINGER["learning_rate"], until: int = MARKS[-1]) -> None:
    """Prepare, train, and print a line at each mark. lora: the rank of low-rank weights, in place of training all."""
    began = time.perf_counter()
    lesson.write_songs(work / "raw", [lesson.NEWCOMER], MINUTE)
    report = prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson")
    print(report, f"\nsinging and preparing took {time.perf_counter() - began:.0f} s", flush=True)
    settings = {**lesson.NEW_SINGER, "eval_interval": EVERY, "lora_rank": lora, "learning_rate": rate}
    config = Config.load(work / "configs/config.json").copy_with(train=settings)
    seconds, marks = 0.0, [mark for mark in MARKS if mark <= until]
    for step in train_sovits(work, config, base=lesson.voice_path(), device="cpu"):
        seconds += step.seconds
        if step.saved and seconds >= marks[0]:
            print(f"{seconds:4.0f} s {step.step:5} steps: {score(step.saved)}", flush=True)
            if not marks[1:]:
                print(*(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB" for path in (work / LOGS).glob("[GL]_*")))
                break
            marks.pop(0)


def score(model: Path) -> str:
    """Means over the sources: pitch, distance to the target, similarity to the target (to the source)."""
    converter, rows = Converter.load(model, device="cpu"), []
    for source in SOURCES:
        shift = lesson.semitones(source, lesson.NEWCOMER)
        sung, truth = lesson.sing(source, SONG)[0], lesson.sing(lesson.NEWCOMER, SONG, manner=source)[0]
        made = converter.convert(sung, sample_rate=lesson.RATE, speaker=lesson.NEWCOMER, semitones=shift).audio
        scores = compare(made, truth, sung, semitones=shift)
        rows.append([scores.f0_median_cents, scores.mel_distance, compare(sung, truth).mel_distance,
                     scores.speaker_similarity, scores.speaker_similarity_source])  # fmt: skip
    cents, mel, before, target, source = np.mean(rows, 0)
    return f"{cents:.1f} cents, mel distance {mel:.2f} (source: {before:.2f}), similarity {target:.2f} ({source:.2f})"


if __name__ == "__main__":
    typer.run(main)
