"""Ways to break work off: kill it, do it twice at once, fill the disk, make the folder read-only.

Notebook: 03_train_sovits
"""

import logging
import multiprocessing
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import torch

from benchmarks.reliability.jobs import broken_files, different, steps_lost

fork = multiprocessing.get_context("fork")  # a child that begins with everything imported


def run(job, place: Path):
    """Begin a job in a process of its own."""
    if not place.exists():
        begin(job, place)
    process = fork.Process(target=quietly, args=(job, place))
    process.start()
    return process


def begin(job, place: Path) -> None:
    """A new place for a job; a training begins with a prepared folder."""
    place.mkdir(exist_ok=True)
    if job.__name__.startswith("training"):
        shutil.copytree(place.parent / "prepared", place / "work")


def quietly(job, place: Path) -> None:
    """Do the job; what a person would read goes beside its place."""
    torch.set_num_threads(1)
    logging.disable()
    said_by(place).write_text("")
    try:
        job(place)
    except Exception as error:
        said_by(place).write_text(f"“{error}”".replace(str(place.parent), "…").replace("\n", " "))
        os._exit(1)


def said_by(place: Path) -> Path:
    return place.with_name(f"{place.name}.said")


def killed(job, folder: Path, kills: int, rng: random.Random) -> str:
    """Run the job unbroken, then kill it at random moments and run it again, until it has been killed so often."""
    began = time.monotonic()
    run(job, folder / "unbroken").join()
    seconds, place, done, broken, lost = time.monotonic() - began, folder / "killed", 0, [], 0
    while done < kills:
        process = run(job, place)
        process.join(rng.uniform(0.02, 1) * seconds)
        finished = not process.is_alive()
        process.kill()
        process.join()
        done += not finished
        broken += broken_files(place)
        lost = max(lost, 0 if finished else steps_lost(place))
        if finished and done < kills:
            shutil.rmtree(place)
    process = run(job, place)
    process.join()
    if process.exitcode:
        return f"DOES NOT FINISH after {done} kills: {said_by(place).read_text()}"
    changed = different(place, folder / "unbroken")
    steps = f"at most {lost} step lost, " if job.__name__.startswith("training") else ""
    halves = f"HALF FILES: {', '.join(broken)}" if broken else "no half file"
    if left := len(list(place.rglob("*.part"))):
        halves += f" under a final name, {left} left as .part"
    return f"killed {done} times: {halves}, {steps}" + (f"ANOTHER RESULT: {changed}" if changed else "same result")


def twice_at_once(job, folder: Path) -> str:
    """Two processes with the same job in the same place."""
    place, said = folder / "twice", []
    processes = [run(job, place), run(job, place)]
    for process in processes:
        process.join()
        said += [said_by(place).read_text()] if process.exitcode else []
    changed = different(place, folder / "unbroken")
    result = f"ANOTHER RESULT: {changed}" if changed else "same result"
    return f"{2 - len(said)} of 2 finish, {result}{'; the other: ' if said else ''}{' '.join(filter(None, said))}"


def on_a_full_disk(job, folder: Path) -> str:
    """Run the job where 100 kB are free; what it says, and whether it finishes once there is room."""
    place = folder / "full"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True).returncode:
        return "not tried: a small disk needs root"
    try:
        begin(job, place)
        (place / "filler").write_bytes(bytes(shutil.disk_usage(place).free - 100_000))
        process = run(job, place)
        process.join()
        said = said_by(place).read_text()
        left = [
            path.name for path in place.rglob("*.part") if path.name != "large.bin.part"
        ]  # which goes on from there
        subprocess.run(["mount", "-o", "remount,size=300m", str(place)], check=True)
        if not process.exitcode:
            return "finishes: it needs no room"
        process = run(job, place)
        process.join()
        (place / "filler").unlink()
        finished = not process.exitcode and not different(place, folder / "unbroken")
        end = "finishes with the same result when there is room" if finished else "DOES NOT FINISH when there is room"
        return f"{said}; " + (f"LEAVES {', '.join(left)}; " if left else "") + end
    finally:
        subprocess.run(["umount", str(place)], check=True)


def in_a_read_only_folder(job, folder: Path) -> str:
    """Run the job where nothing can be written, in a folder that is mounted so."""
    place = folder / "forbidden"
    begin(job, place)
    if subprocess.run(["mount", "--bind", str(place), str(place)], capture_output=True).returncode:
        return "not tried: mounting needs root"
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        process = run(job, place)
        process.join()
        return said_by(place).read_text() if process.exitcode else "FINISHES, although it can write nothing"
    finally:
        subprocess.run(["umount", str(place)], check=True)
