"""Measure speed on this machine, print a table, write out/bench.json.

Notebook: 05_infer
"""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from svcnb import lesson
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.models.sovits import Sovits

OUT = Path("out/bench.json")


def import_seconds() -> float:
    """Seconds that `import svcnb` takes in a fresh interpreter, without those of the interpreter itself."""
    code = "import time; start = time.perf_counter(); import svcnb; print(time.perf_counter() - start)"
    runs = (subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5))
    return min(float(run.stdout) for run in runs)


def full_size_seconds(vocoder: str) -> float:
    """Seconds per second of audio of the full-size So-VITS; random weights are as fast as trained ones."""
    config = Config.preset("full").copy_with(model={"vocoder_name": vocoder})
    model, frames = Sovits(config).eval(), 172
    audio_seconds = frames * config.data.hop_length / config.data.sampling_rate
    units, f0 = torch.randn(1, config.model.ssl_dim, frames), torch.full((1, frames), 220.0)
    with torch.inference_mode():
        run = lambda: model.infer(units, f0, torch.ones_like(f0), torch.tensor([0]))
        return _best(run) / audio_seconds


def lesson_seconds() -> float:
    """Seconds per second of song of a whole conversion by the lesson voice: encoder, pitch, model, joining."""
    song, _ = lesson.sing("tomas", "row")
    converter = Converter.load(lesson.voice_path())
    return _best(lambda: converter.convert(song, lesson.RATE, "clara")) / (len(song) / lesson.RATE)


def _best(run: Callable, times: int = 2) -> float:
    """Shortest of several runs, after one to warm up."""
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


MEASUREMENTS = {
    "import svcnb, s": import_seconds,
    "So-VITS full, nsf-hifigan, s per s": lambda: full_size_seconds("nsf-hifigan"),
    "So-VITS full, nsf-snake-hifigan, s per s": lambda: full_size_seconds("nsf-snake-hifigan"),
    "lesson voice, song to song, s per s": lesson_seconds,
}


def main() -> None:
    print(f"Measuring on {platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    results = {}
    for name, measure in MEASUREMENTS.items():
        results[name] = measure()
        print(f"{name:<44}{results[name]:>8.4f}", flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), **results}, indent=2) + "\n"
    )
    print(f"Written: {OUT}")


if __name__ == "__main__":
    main()
