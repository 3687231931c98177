"""Memory at its highest while songs of several lengths are converted, each in a process of its own.

    python -m benchmarks.memory 1 60

The lesson voice sings a lesson song over and over, from file to file.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from svcnb import lesson

MINUTES = 1, 10


def convert(minutes: float) -> float:
    """Convert a song of so many minutes in this process; returns the most memory it ever had, in MB."""
    from svcnb.convert import Converter

    wav, _ = lesson.sing("tomas", "row")
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", lesson.RATE, 1) as file:
            for _ in range(round(minutes * 60 * lesson.RATE / len(wav))):
                file.write(np.asarray(wav, np.float32))
        Converter.load(lesson.voice_path()).convert(song, speaker="clara", out=Path(folder) / "sung.wav")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def measure(lengths=MINUTES) -> list[dict]:
    rows = []
    for minutes in lengths:
        code = f"from benchmarks.memory import convert; print(convert({minutes}))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        rows.append({"what": f"memory, a song of {minutes:g} min", "value": float(run.stdout), "unit": "MB"})
    return rows


if __name__ == "__main__":
    for row in measure([float(minutes) for minutes in sys.argv[1:]] or MINUTES):
        print(f"{row['what']:<40}{row['value']:8.0f} {row['unit']}", flush=True)
