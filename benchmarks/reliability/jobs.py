"""The kinds of work that are broken off, each small enough to be done in seconds, and what they work on.

A job is called with an empty folder of its own, beside which its materials lie, and may find there what it did before
it was killed.

Notebook: 03_train_sovits
"""

import contextlib
import hashlib
import http.server
import os
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file

from svcnb import checkpoint, lesson, registry
from svcnb.config import Config, DiffusionConfig, VocoderConfig
from svcnb.convert import Converter
from svcnb.models.sovits import Sovits
from svcnb.prepare import prepare
from svcnb.training import train_diffusion, train_sovits

LARGE = 6_000_000  # bytes of the download
EVERY = 2  # steps between two savings of a training
SMALL = dict(hidden_channels=16, inter_channels=16, filter_channels=32, n_layers=1, upsample_initial_channel=32)


def preparing(place: Path) -> None:
    prepare(place.parent / "raw", place / "work", "lesson", "dio", preset="lesson", processes=1)


def training(place: Path) -> None:
    config = Config.load(place / "work/configs/config.json")
    small = dict(eval_interval=EVERY, batch_size=2, crop_frames=32, segment_size=4096, disc_start=4, disc_width=0.0625)
    follow(place, train_sovits(place / "work", config.copy_with(train=small, model=SMALL), max_steps=6, device="cpu"))


def training_diffusion(place: Path) -> None:
    config = DiffusionConfig.load(place / "work/configs/diffusion.yaml")
    small = dict(
        model=dict(n_layers=2, n_chans=16, n_hidden=8), infer=dict(speedup=250, method="ddim"), data=dict(duration=0.5),
        train=dict(batch_size=2, interval_val=EVERY, interval_log=1),
    )  # fmt: skip
    voice = place.parent / "vocoder.safetensors"
    follow(place, train_diffusion(place / "work", config.copy_with(**small), voice, max_steps=6, device="cpu"))


def converting(place: Path) -> None:
    converter = Converter.load(place.parent / "voice.safetensors", device="cpu")
    converter.convert(place.parent / "raw/anna/one.wav", speaker="a", f0_predictor="dio", out=place / "song.flac")


def saving(place: Path) -> None:
    for number in range(8):
        checkpoint.compress(lesson.voice_path(), place / f"small_{number}.safetensors")


def downloading(place: Path) -> None:
    content = large()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/large"
    checksum, os.environ["SVCNB_HOME"] = hashlib.sha256(content).hexdigest(), str(place)
    registry.TABLE["large"] = registry.Entry("large.bin", "this", "none", (address,), checksum, len(content))
    registry.fetch("large")
    server.shutdown()


JOBS = (preparing, training, training_diffusion, converting, saving, downloading)


def follow(place: Path, steps) -> None:
    """Train, and write down after each step which one it was."""
    for step in steps:
        (place / "steps.lock").write_text(str(step.step))


def large() -> bytes:
    return np.random.default_rng(0).bytes(LARGE)


class Slow(http.server.BaseHTTPRequestHandler):
    """A server of one file, at some megabytes a second, from the byte that is asked for."""

    def do_GET(self):
        content = large()
        start = int(self.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the other side has gone
            for at in range(start, len(content), 100_000):
                self.wfile.write(content[at : at + 100_000])
                time.sleep(0.01)

    def log_message(self, *args):
        pass


def materials(place: Path) -> None:
    """What the jobs work on: recordings, a prepared folder for the trainings, a voice and a vocoder, both untrained."""
    wav = lesson.sing("clara", lesson.TRAIN_SONGS[0])[0]
    for name, stretch in (("anna", wav[: 8 * lesson.RATE]), ("ben", wav[8 * lesson.RATE : 16 * lesson.RATE])):
        (place / "raw" / name).mkdir(parents=True)
        soundfile.write(place / "raw" / name / "one.wav", stretch, lesson.RATE, "PCM_16")
    torch.manual_seed(0)
    config = Config.preset("lesson", "lesson", ["a", "b"]).copy_with(model=SMALL)
    checkpoint.save_sovits(place / "voice.safetensors", Sovits(config), config)
    vocoder = VocoderConfig(
        sampling_rate=44100, num_mels=128, n_fft=2048, hop_size=512, win_size=2048, fmin=40, fmax=16000, resblock="1",
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]], upsample_rates=[8, 8, 8],
        upsample_kernel_sizes=[16, 16, 16], upsample_initial_channel=16,
    )  # fmt: skip
    checkpoint.save_vocoder(place / "vocoder.safetensors", checkpoint.new_vocoder(vocoder))
    prepare(place / "raw", place / "prepared", "lesson", "dio", preset="lesson", processes=1)


def broken_files(place: Path) -> list[str]:
    """Files under a final name that can not be read whole."""
    broken = []
    for path in place.rglob("*"):
        try:
            if path.suffix in (".wav", ".flac"):
                soundfile.read(path)
            elif path.suffix == ".pt":
                checkpoint.read_torch(path)
            elif path.suffix == ".safetensors":
                load_file(path)
            elif path.suffix in (".json", ".yaml"):
                Config.load(path) if path.name == "config.json" else path.read_text()
            elif path.name == "large.bin" and path.stat().st_size != LARGE:
                broken.append(path.name)
        except Exception as error:
            broken.append(f"{path.name}: {error}")
    return broken


def steps_lost(place: Path) -> int:
    """How many steps a killed training had made, and has not kept."""
    made, states = place / "steps.lock", list(place.rglob("state.pt"))
    if not made.exists() or not made.read_text():
        return 0
    return int(made.read_text()) - (checkpoint.read_torch(states[0])["step"] if states else 0)


def different(place: Path, other: Path) -> str:
    """Which finished files of two places differ; empty where none does."""
    one, two = (dict(_fingerprints(folder)) for folder in (place, other))
    return ", ".join(name for name in one | two if one.get(name) != two.get(name))


def _fingerprints(place: Path):
    """Every finished file and what is in it: of models the tensors, since their headers have no fixed order."""
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.name == "state.pt":
            models = checkpoint.read_torch(path)["models"]
            yield name, [_digest(models[key]) for key in sorted(models)]
        elif path.suffix in (".safetensors", ".pt"):
            yield name, _digest(load_file(path) if path.suffix == ".safetensors" else checkpoint.read_weights(path))
        elif path.is_file() and path.suffix not in (".previous", ".lock", ".part") and path.stem != "manifest":
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(tensors[key].numpy().tobytes() for key in sorted(tensors))).hexdigest()
