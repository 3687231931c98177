"""`make demo`: the lesson song from one lesson singer to another, scored against what that singer really sings.

Notebook: 05_infer
"""

import time
from collections.abc import Iterator
from pathlib import Path

SONG, SOURCE, TARGET = "row", "tomas", "clara"  # the song is held out: the lesson voice never trained on it
ROWS = {  # field of Scores → what it is called here
    "f0_correlation": "melody: F0 correlation",
    "f0_median_cents": "melody: F0 error in cents",
    "vuv_error": "voicing: share of frames wrong",
    "mel_distance": "mel distance",
    "timbre_similarity": "timbre similarity",
    "speaker_similarity": "speaker similarity",
}


def run(folder: str | Path = "out") -> Iterator[str]:
    """Convert, score, write demo.wav and demo.png to a folder; yields lines of text as it goes along."""
    from svcnb import audio, lesson, plots
    from svcnb.convert import Converter
    from svcnb.evaluate import compare

    yield f'{SOURCE} sings "{SONG}"; the lesson voice turns {SOURCE} into {TARGET}.'
    folder, semitones = Path(folder), lesson.semitones(SOURCE, TARGET)
    source, _ = lesson.sing(SOURCE, SONG)
    target, _ = lesson.sing(TARGET, SONG, manner=SOURCE)  # what a perfect conversion would sound like
    converter = Converter.load(lesson.voice_path())
    began = time.perf_counter()
    conversion = converter.convert(source, lesson.RATE, TARGET, semitones=semitones)
    seconds = time.perf_counter() - began
    yield f"{len(source) / lesson.RATE:.1f} s of singing converted in {seconds:.1f} s."

    takes = {"source": source, "demo": conversion.audio, "target": target}
    for name, wav in takes.items():
        audio.save(folder / ("demo.wav" if name == "demo" else f"demo-{name}.wav"), wav, lesson.RATE)
    yield from table(compare(source, target), compare(conversion.audio, target))
    title = f"{SOURCE} sings {SONG}, as {TARGET}"
    plots.conversion(source, conversion.audio, target, lesson.RATE, title).savefig(folder / "demo.png", dpi=120)
    yield f"Hear it: {folder / 'demo.wav'}, beside demo-source.wav and demo-target.wav ({TARGET}'s own singing)"
    yield f"See it:  {folder / 'demo.png'}"


def table(before, after) -> Iterator[str]:
    """Scores against the true target, of the source as it is and of the conversion; those that could be measured."""
    yield f"{f'against {TARGET} singing it':<34}{'before':>8}{'after':>8}"
    for field, name in ROWS.items():
        values = [getattr(scores, field) for scores in (before, after)]
        if None not in values:
            yield f"{name:<34}{values[0]:>8.2f}{values[1]:>8.2f}"
