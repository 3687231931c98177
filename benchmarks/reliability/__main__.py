"""Break everything that can be broken, and print what happened as a table.

    python -m benchmarks.reliability --kills 50 > benchmarks/RELIABILITY.md

Every kind of work is killed at random moments until it is done, done twice at once, and run on a full disk and in a
folder that may not be written to; the last two need root. What counts: no half file under a final name, in the end the
same files as without kills, and a sentence. Then an hour of song is converted, and the tests on broken, hostile and odd
files run with more examples than usual.

Notebook: 03_train_sovits
"""

import os
import random
import shlex
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import soundfile
import torch
import typer

from benchmarks.reliability.breaking import in_a_read_only_folder, killed, on_a_full_disk, twice_at_once
from benchmarks.reliability.jobs import JOBS, materials

TESTS = {  # what is fed → the tests that do it
    "a hostile pickle in place of every kind of file": "tests/test_hostile.py",
    "hand-written hostile pickles, zip bombs, files cut short": "tests/test_unpickle.py",
    "damaged sound, configs, models, features (hypothesis)": "tests/test_fuzz.py",
    "songs without voice, of 1 sample, of 0.05 s, of NaN; odd paths": "tests/test_odd_songs.py",
    "NaN and infinity in recordings, features, losses, gradients":
        "tests/prepare tests/test_dataset.py tests/training -k 'broken_file or foreign or not_finite'",
}  # fmt: skip
MEMORY = """
import sys
from benchmarks.memory import highest
from svcnb.convert import Converter
made = Converter.load(sys.argv[1], device="cpu").convert(sys.argv[2], speaker="a", f0_predictor="dio", out=sys.argv[3])
print(int(highest()))
"""


def main(kills: int = 50, examples: int = 300, minutes: int = 60, seed: int = 0) -> None:
    """Share the kills among the kinds of work."""
    torch.set_num_threads(1)
    rng, command = random.Random(seed), f"python -m benchmarks.reliability {' '.join(sys.argv[1:])}"
    print(f"# What was broken, and what happened\n\n`{command.strip()}`, {date.today()}\n\n| work | tried | happened |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        materials(Path(folder) / "materials")
        for job in JOBS:
            place = Path(folder) / job.__name__
            place.mkdir()
            for thing in (Path(folder) / "materials").iterdir():
                (place / thing.name).symlink_to(thing)
            name = job.__name__.replace("_", " ")
            row(name, "killed", killed(job, place, -(-kills // len(JOBS)), rng))
            row(name, "twice at once", twice_at_once(job, place))
            row(name, "full disk", on_a_full_disk(job, place))
            row(name, "read-only folder", in_a_read_only_folder(job, place))
        row("converting", f"a song of {minutes} minutes", long_song(Path(folder) / "materials", minutes))
    for what, tests in TESTS.items():
        row("reading", what, outcome(tests, examples))


def row(*cells: str) -> None:
    print("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |", flush=True)


def long_song(place: Path, minutes: int) -> str:
    """The memory that the process takes at most, for a minute of song and for many."""
    wav, rate = soundfile.read(place / "raw/anna/one.wav", dtype="int16")
    used = []
    for length in (1, minutes):
        with soundfile.SoundFile(place / "long.flac", "w", rate, 1) as file:
            for _ in range(round(60 * length * rate / len(wav))):
                file.write(wav)
        command = [
            sys.executable,
            "-c",
            MEMORY,
            *(str(place / name) for name in ("voice.safetensors", "long.flac", "made.flac")),
        ]
        used.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        made = soundfile.info(place / "made.flac").frames
        assert made == soundfile.info(place / "long.flac").frames
    return f"as long as the song to the sample; memory {used[1]} MB at most, for one minute {used[0]} MB"


def outcome(tests: str, examples: int) -> str:
    """The last line of pytest."""
    command = [sys.executable, "-m", "pytest", "--disable-warnings", *shlex.split(tests)]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"SVCNB_FUZZ": str(examples)})
    return f"{result.stdout.strip().splitlines()[-1]} (`{tests}`)"


if __name__ == "__main__":
    typer.run(main)
