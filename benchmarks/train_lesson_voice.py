"""Train the lesson voice: six singers made of arithmetic, one So-VITS model of the `lesson` preset.

    python -m benchmarks.train_lesson_voice WORK --minutes 60

It can be stopped and run again. At every evaluation it converts the held-out songs between singers and scores them
against what the target singer really sings; at the end it writes the model and its critic as the package ships them.
What was tried on the way: benchmarks/README.md.

Notebook: 03_train_sovits
"""

import time
from pathlib import Path

import numpy as np
import torch
import typer

from svcnb import lesson
from svcnb.checkpoint import latest, load_base, load_sovits, save_discriminator, save_sovits
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.models.discriminators import Discriminator
from svcnb.prepare import prepare
from svcnb.training import train_sovits

PAIRS = [("bruno", "mina"), ("clara", "tomas"), ("mina", "emil"), ("vera", "clara")]


def main(work: Path, minutes: float = 60, ship: bool = False) -> None:
    """Train for some minutes, scoring at each evaluation; --ship puts the result into the package."""
    if not (work / "configs/config.json").exists():
        lesson.write_songs(work / "raw", songs=lesson.TRAIN_SONGS)
        print(prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson"), flush=True)
    began = time.monotonic()
    for step in train_sovits(work, device="cpu"):
        if step.saved:
            losses = " ".join(f"{name} {value:.2f}" for name, value in step.losses.items())
            print(f"step {step.step} {time.monotonic() - began:.0f} s  {losses}  val {step.scores}", flush=True)
            if step.step % 1000 == 0:
                print(table(step.saved), flush=True)
            if time.monotonic() - began > 60 * minutes:
                break
    if ship:
        package(work)


def table(model: Path, song: str = "row", pairs=PAIRS) -> str:
    """Scores of conversions of a held-out song, a line per pair and their mean."""
    converter = Converter.load(model, device="cpu")
    lines, rows = [], []
    for source, target in pairs:
        sung, truth = lesson.sing(source, song)[0], lesson.sing(target, song, manner=source)[0]
        shift = lesson.semitones(source, target)
        made = converter.convert(sung, sample_rate=lesson.RATE, speaker=target, semitones=shift).audio
        scores = compare(made, truth, sung, semitones=shift)
        before = compare(sung, truth, sung)
        rows.append((scores.f0_median_cents, scores.vuv_error, scores.mel_distance, before.mel_distance))
        similar = scores.speaker_similarity, scores.speaker_similarity_source
        lines.append(f"  {source} to {target}: " + _words(rows[-1]) + f", similarity {similar}")
    return "\n".join([*lines, "  mean: " + _words(np.mean(rows, 0))])


def _words(row) -> str:
    cents, vuv, mel, before = row
    return f"{cents:.1f} cents, voicing error {vuv:.3f}, mel distance {mel:.2f} (before: {before:.2f})"


def package(work: Path) -> None:
    """Write the newest model and its critic, in half precision, to where the package looks for them."""
    folder = work / "logs/44k"
    newest = latest(folder)
    model, config = load_sovits(newest)
    critic = Discriminator(config.model.use_spectral_norm, config.train.disc_width)
    load_base(newest.with_name(newest.name.replace("G_", "D_")), critic)
    save_sovits(lesson.voice_path(), model, config, half=True)
    save_discriminator(lesson.critic_path(), critic, config, half=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
