"""Kill every kind of work at random moments, fill its disk, run it twice at once; a table of what happened.

    python -m benchmarks.reliability --kills 50

A killed job runs again until it is done. What counts: no half file under a final name after any kill, and in the end
the same files as without kills. The full disk is a tmpfs, made with `mount`, so that part needs root.

Notebook: 03_train_sovits
"""

import contextlib
import hashlib
import http.server
import logging
import multiprocessing
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
import typer
from safetensors.torch import load_file

from svcnb import lesson
from svcnb.checkpoint import CheckpointError, compress, load_sovits, read_torch
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.download import download
from svcnb.files import write_whole
from svcnb.prepare import prepare
from svcnb.training import train_sovits

LARGE = 6_000_000  # bytes of the download
fork = multiprocessing.get_context("fork")  # a child that begins with everything imported


def preparing(place: Path) -> None:
    prepare(place.parent / "raw", place / "work", "lesson", "dio", preset="lesson", processes=1)


def training(place: Path) -> None:
    config = Config.load(place / "work/configs/config.json")
    small = dict(eval_interval=2, batch_size=2, crop_frames=32, segment_size=4096, disc_start=100)
    config = config.copy_with(train=small, model=dict(hidden_channels=16, inter_channels=16, filter_channels=32))
    for _ in train_sovits(place / "work", config, max_steps=10, device="cpu"):
        pass


def converting(place: Path) -> None:
    converter = Converter.load(lesson.voice_path(), device="cpu")
    converter.convert(place.parent / "raw/anna/one.wav", speaker="clara", f0_predictor="dio", out=place / "song.flac")


def saving(place: Path) -> None:
    for number in range(8):
        compress(lesson.voice_path(), place / f"small_{number}.safetensors")


def downloading(place: Path, address: str = "") -> None:
    content = (place.parent / "large").read_bytes()
    download([address], place / "large.bin", hashlib.sha256(content).hexdigest(), len(content))


class Slow(http.server.SimpleHTTPRequestHandler):
    """A server of one file, at some megabytes a second, from the byte that is asked for."""

    def do_GET(self):
        content = (Path(self.directory) / "large").read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the other side was killed
            for at in range(start, len(content), 100_000):
                self.wfile.write(content[at : at + 100_000])
                time.sleep(0.01)

    def log_message(self, *args):
        pass


def whole(place: Path) -> list[str]:
    """Files under a final name that can not be read whole."""
    broken = []
    for path in place.rglob("*"):
        try:
            if path.suffix in (".wav", ".flac"):
                soundfile.read(path)
            elif path.suffix == ".pt":
                read_torch(path)
            elif path.suffix == ".safetensors" and path.name.startswith(("G_", "small")):
                load_sovits(path)
            elif path.name == "large.bin" and path.stat().st_size != LARGE:
                broken.append(path.name)
        except (CheckpointError, RuntimeError) as error:
            broken.append(f"{path.name}: {error}")
    return broken


def fingerprint(place: Path) -> dict[str, str]:
    """Every finished file and its content; of models the tensors, since the files' headers have no fixed order."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.name == "state.pt":
            found[path.name] = digest(read_torch(path)["models"]["generator"])
        elif path.suffix == ".safetensors":
            found[str(path.relative_to(place))] = digest(load_file(path))
        elif path.is_file() and path.suffix not in (".pt", ".previous", ".lock", ".part") and path.stem != "manifest":
            found[str(path.relative_to(place))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def digest(tensors: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(tensors[key].numpy().tobytes() for key in sorted(tensors))).hexdigest()


def different(place: Path, other: Path) -> str:
    """Empty, or which files differ."""
    one, two = fingerprint(place), fingerprint(other)
    return ", ".join(name for name in one | two if one.get(name) != two.get(name))


def killed(job, folder: Path, kills: int, rng: random.Random) -> str:
    """Run the job unbroken, then killed at random moments; what came of it, in words."""
    began = time.monotonic()
    run(job, folder / "unbroken").join()
    seconds, place, done, broken = time.monotonic() - began, folder / "killed", 0, []
    while done < kills:
        process = run(job, place)
        process.join(rng.uniform(0.02, 1) * seconds)
        done += process.is_alive()
        finished = not process.is_alive()
        process.kill()
        process.join()
        broken += whole(place)
        if finished and done < kills:
            shutil.rmtree(place)
    process = run(job, place)
    process.join()
    if process.exitcode:
        return f"does not finish after {done} kills (exit {process.exitcode})"
    changed = different(place, folder / "unbroken")
    return f"{done} kills, {len(broken)} half files, " + (f"ANOTHER RESULT: {changed}" if changed else "same result")


def begin(place: Path) -> None:
    """A new place for the job; training begins with a prepared folder."""
    place.mkdir(exist_ok=True)
    if (place.parent / "prepared").exists():
        shutil.copytree(place.parent / "prepared", place / "work")


def run(job, place: Path):
    if not place.exists():
        begin(place)
    process = fork.Process(target=quietly, args=(job, place))
    process.start()
    return process


def quietly(job, place: Path) -> None:
    torch.set_num_threads(1)
    logging.disable()
    try:
        job(place)
    except Exception as error:  # what a person would read
        (place / "said.lock").write_text(f"“{type(error).__name__}: {error}”".replace(str(place.parent), "…"))
        os._exit(1)


def on_a_full_disk(job, folder: Path) -> str:
    """Run the job where 100 kB are free; its sentence, and whether it finishes once there is room."""
    place = folder / "full"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True).returncode:
        return "not tried: a small disk needs root"
    try:
        begin(place)
        (place / "filler").write_bytes(bytes(shutil.disk_usage(place).free - 100_000))
        try:
            job(place)
            return "fits on a small disk"
        except OSError as error:
            said = str(error).replace(str(folder), "…")
        if any(path.suffix == ".part" and path.name != "large.bin.part" for path in place.rglob("*")):
            return "leaves a part of a file behind"
        subprocess.run(["mount", "-o", "remount,size=300m", str(place)], check=True)
        job(place)
        return f"says “{said}” and finishes when there is room"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def twice_at_once(job, folder: Path) -> str:
    """Two processes with the same job in the same place."""
    place = folder / "twice"
    processes = [run(job, place), run(job, place)]
    for process in processes:
        process.join()
    finished = sum(process.exitcode == 0 for process in processes)
    said = (place / "said.lock").read_text().strip() if finished < 2 else ""
    changed = different(place, folder / "unbroken")
    return f"{finished} of 2 finish, " + (f"ANOTHER RESULT: {changed}" if changed else "same result") + f" {said}"


def main(kills: int = 50, seed: int = 0) -> None:
    """Share the kills among the jobs and print the table."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder / "downloading")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/large"
        for job in (preparing, training, converting, saving, partial(downloading, address=address)):
            place = folder / getattr(job, "func", job).__name__
            materials(place)
            print(f"{place.name:12} killed   {killed(job, place, kills // 5, rng)}", flush=True)
            print(f"{'':12} twice    {twice_at_once(job, place)}", flush=True)
            print(f"{'':12} no room  {on_a_full_disk(job, place)}", flush=True)


def materials(place: Path) -> None:
    """What the jobs work on: recordings, a prepared folder for training, a large file to download."""
    for name, singer, song in (("anna", "clara", "scale"), ("ben", "tomas", "scale")):
        song = lesson.TRAIN_SONGS[0] if song not in lesson.SONGS else song
        wav = lesson.sing(singer, song)[0][: 20 * lesson.RATE]
        (place / "raw" / name).mkdir(parents=True)
        soundfile.write(place / "raw" / name / "one.wav", wav, lesson.RATE, "PCM_16")
    if place.name == "training":
        prepare(place / "raw", place / "prepared", "lesson", "dio", preset="lesson", processes=1)
    write_whole(place / "large", np.random.default_rng(0).bytes(LARGE))


if __name__ == "__main__":
    typer.run(main)
