"""Memory at its highest while songs of several lengths are converted, each in a process of its own.

    python -m benchmarks.memory 1 60           by the lesson voice
    python -m benchmarks.memory 1 5 --full     by one of the original's size, of random weights

A lesson song over and over, from file to file.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from svcnb import lesson

MINUTES = 1, 10


def convert(minutes: float, full: bool) -> tuple[float, float]:
    """Convert a song of so many minutes in this process; its highest memory, in MB, and the seconds it took."""
    from svcnb.convert import Converter

    wav, _ = lesson.sing("tomas", "row")
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", lesson.RATE, 1) as file:
            for _ in range(round(minutes * 60 * lesson.RATE / len(wav))):
                file.write(np.asarray(wav, np.float32))
        if full:
            from benchmarks.inference import full_size, random_weights

            random_weights(Path(folder))
            converter, speaker = full_size(Path(folder), "nsf", "fp32"), "one"
        else:
            converter, speaker = Converter.load(lesson.voice_path()), "clara"
        start = time.perf_counter()
        converter.convert(song, speaker=speaker, out=Path(folder) / "sung.wav")
        seconds = time.perf_counter() - start
    return highest(), seconds


def highest() -> float:
    """The most memory that this process has had, in MB.

    Linux's getrusage counts what the process that began this one had until then, /proc does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024**2 if sys.platform == "darwin" else 1024)


def measure(lengths=MINUTES, full: bool = False) -> list[dict]:
    rows = []
    for minutes in lengths:
        code = f"from benchmarks.memory import convert; print(*convert({minutes}, {full}))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        memory, seconds = map(float, run.stdout.split())
        what = f"{minutes:g} min{' at full size' * full}"
        rows += [{"what": f"memory, a song of {what}", "value": memory, "unit": "MB"}]
        rows += [{"what": f"a song of {what}, from file to file", "value": seconds, "unit": "s"}]
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("minutes", type=float, nargs="*", default=MINUTES)
    options.add_argument("--full", action="store_true")
    chosen = options.parse_args()
    for length in chosen.minutes:
        for row in measure([length], chosen.full):
            print(f"{row['what']:<50}{row['value']:8.0f} {row['unit']}", flush=True)


if __name__ == "__main__":
    main()
