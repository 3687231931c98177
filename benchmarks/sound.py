"""How every variant of a model sounds, in numbers, and what it costs: one table, the same phrases for all.

    python -m benchmarks.sound
    python -m benchmarks.sound "my voice: model=work/logs/44k/G_800.safetensors" "lesson voice: noise_scale=0"

A variant is a name and what `Converter.load` or a conversion takes: model (else the lesson voice), config, diffusion,
vocoder, enhancer, retrieval, k_step, noise_scale, … Without any, the lesson voice is tried with all that the lesson
has. The phrases are the first seconds of a song that no lesson model learnt, from three singers to three, or with
`to=NAME` from the same three to one; they are compared with the target's own singing in the source's manner, so a model
has to know those singers by name. Retrieval is from two songs of each target. Means go to out/sound.json.

Notebook: 05_infer
"""

import inspect
import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import typer
import yaml

from svcnb import encoders, lesson
from svcnb.audio import resample
from svcnb.checkpoint import save_clusters, save_index
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.retrieval import Clusters, Index

PAIRS = (("bruno", "mina"), ("clara", "tomas"), ("vera", "clara"))  # low to high, high to low, between two high ones
SONG, SECONDS, LEARNT = "row", 6, ("twinkle", "mary")
OUT = Path("out/sound")
COLUMNS = {  # what is compared → heading
    "f0_median_cents": "F0 error, cents", "f0_gross": "over 50 cents", "f0_correlation": "F0 correlation",
    "vuv_error": "V/UV error", "intelligibility": "intelligibility", "mel_distance": "mel distance", "mcd": "MCD, dB",
    "envelope_distance": "envelope, dB", "loudness_correlation": "loudness corr.",
    "timbre_similarity": "timbre: target", "timbre_similarity_source": "source",
    "speaker_similarity": "speaker: target", "speaker_similarity_source": "source", "seconds": "s per s",
}  # fmt: skip


@cache
def phrases(to: str | None = None) -> list[tuple]:
    """(source, the target's own, target's name, semitones) of every pair; with `to` all are for one target."""
    cut = slice(0, SECONDS * lesson.RATE)
    return [
        (lesson.sing(source, SONG)[0][cut], lesson.sing(target, SONG, manner=source)[0][cut], target,
         lesson.semitones(source, target))
        for source, target in ((source, to or target) for source, target in PAIRS)
    ]  # fmt: skip


def lesson_variants() -> list[str]:
    """What the lesson has beside its voice."""
    found = ["lesson voice: seed=52468", f"+ enhancer: enhancer={lesson.vocoder_path()}"]
    clusters, index = retrieval()
    found += [
        f"+ clusters: retrieval={clusters} retrieval_ratio=0.5",
        f"+ index: retrieval={index} retrieval_ratio=0.5",
    ]
    diffusion, flow = (
        f"diffusion={path} vocoder={lesson.vocoder_path()}" for path in (lesson.diffusion_path(), lesson.flow_path())
    )
    found += [
        f"+ shallow diffusion: {diffusion}",
        f"+ shallow flow: {flow} k_step=300 speedup=75",
        f"diffusion alone, ddpm: {diffusion} only_diffusion=true sampler=ddpm speedup=1",
        f"flow alone, 4 calls: {flow} only_diffusion=true speedup=250",
    ]
    return found


def retrieval() -> tuple[Path, Path]:
    """Clusters and an index of two songs of each target."""
    encoder, config = encoders.get("lesson", device="cpu"), Converter.load(lesson.voice_path(), device="cpu").config
    units = {}
    for target in {target for _, target in PAIRS}:
        sung = [resample(lesson.sing(target, song)[0], lesson.RATE, 16000) for song in LEARNT]
        units[target] = np.concatenate([encoder.units(wav).numpy() for wav in sung])
    save_clusters(OUT / "clusters.safetensors", Clusters.fit(units.items(), count=500))
    save_index(OUT / "index.safetensors", Index.fit((config.spk[name], table) for name, table in units.items()))
    return OUT / "clusters.safetensors", OUT / "index.safetensors"


def score(variant: str) -> dict[str, float]:
    """Means over the phrases of what a variant makes of them, and seconds per second of song."""
    given = dict(word.split("=", 1) for word in variant.partition(":")[2].split())
    songs = phrases(given.pop("to", None))
    loading = {key: value for key, value in given.items() if key in inspect.signature(Converter.load).parameters}
    options = {key: yaml.safe_load(value) for key, value in given.items() if key not in loading}
    converter = Converter.load(**{"model": lesson.voice_path(), "device": "cpu"} | loading)
    rows = []
    for number, (source, target, name, shift) in enumerate([songs[0], *songs]):  # once more, to be warm
        began = time.perf_counter()
        made = converter.convert(source, lesson.RATE, name, semitones=shift, **options).audio
        seconds = (time.perf_counter() - began) * lesson.RATE / len(source)
        if number:
            rows.append(measured(made, target, source, shift) | {"seconds": seconds})
    return mean(rows)


def measured(made: np.ndarray, target: np.ndarray, source: np.ndarray, shift: float) -> dict[str, float]:
    """The columns of one phrase."""
    scores = compare(made, target, source, semitones=shift)
    return {name: value for name in COLUMNS if (value := getattr(scores, name, None)) is not None}


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of each column."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main(variants: list[str] = typer.Argument(None)) -> None:
    """Print the table and write it as JSON."""
    songs, table = phrases(), {}
    OUT.mkdir(parents=True, exist_ok=True)
    print("| variant | " + " | ".join(COLUMNS.values()) + " |\n|---|" + "---|" * len(COLUMNS))

    def tell(name: str, scores: dict[str, float]) -> None:
        table[name] = scores
        cells = [f"{scores[column]:.3g}" if column in scores else "" for column in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    tell("the source itself", mean([measured(source, target, source, shift) for source, target, _, shift in songs]))
    tell("the target itself", mean([measured(target, target, source, shift) for source, target, _, shift in songs]))
    for variant in variants or lesson_variants():
        tell(variant.partition(":")[0], score(variant))
    OUT.with_suffix(".json").write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
