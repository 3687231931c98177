"""Does retrieval help the lesson voice? Who is heard and what is understood, at every ratio, for clusters and index.

    python -m benchmarks.leak --out leak.png

The target's units are of three songs (71 s); the phrases are the first seconds of the held-out songs.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from svcnb import audio, evaluate, leak, lesson, plots
from svcnb.convert import Converter
from svcnb.retrieval import Clusters, Index

RECORDED = "twinkle", "brother", "grace"
SIMILARITIES = {"timbre": evaluate.timbre_similarity, "speaker": evaluate.speaker_similarity}


def main(
    source: str = "vera",
    target: str = "mina",
    seconds: float = 5,
    centres: int = 200,
    similarity: str = "timbre",
    out: Annotated[Path | None, typer.Option(help="A picture to write.")] = None,
) -> None:
    """Print the readings; similarity: timbre, or speaker (needs the extra `eval`)."""
    converter = Converter.load(lesson.voice_path(), device="cpu")
    songs = [lesson.sing(target, song, hop=leak.HOP) for song in RECORDED]
    units = np.concatenate([converter.encoder.units(audio.resample(wav, lesson.RATE, 16000)) for wav, _ in songs])
    number = converter.config.spk[target]
    retrievals = {"clusters": Clusters.fit([(target, units)], centres), "index": Index.fit([(number, units)])}
    phrases = [leak.Phrase.sung(source, target, song, seconds=seconds) for song in lesson.HELD_OUT_SONGS]
    ear = leak.Ear(songs)
    truth = np.mean([ear.understands(phrase.target, phrase.phone) for phrase in phrases])
    print(f"{source} to {target}, {len(units)} units; of the true target {truth:.0%} of the words are understood")
    readings = leak.measure(
        converter, retrievals, phrases, ear, target, (0, 0.25, 0.5, 0.75, 1), SIMILARITIES[similarity]
    )
    for name, row in readings.items():
        print(name, *row, sep="\n  ")
    if out:
        plots.leak(readings, f"{source} to {target}").savefig(out, dpi=110)


if __name__ == "__main__":
    typer.run(main)
