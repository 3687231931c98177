"""How fast diffusion is at full size, in float32 and in bfloat16, and what bfloat16 changes in the sound.

    python -m benchmarks.diffusion_speed

Random weights are as fast as trained ones. The difference of the sound is measured on the lesson models.

Notebook: 04_train_diffusion
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from svcnb import lesson
from svcnb.config import DiffusionConfig
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.models.diffusion import Unit2Mel

FRAMES = 862  # 10 s
BATCH, CROP = 4, 172  # of a training step
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def seconds(run: Callable, times: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """Shortest of several runs, after one to warm up."""
    run()
    found = []
    for _ in range(times):
        start = clock()
        run()
        found.append(clock() - start)
    return min(found)


def measure(clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Seconds by name: a denoiser call, ten calls of DPM-Solver++ on 10 s of audio, and a training step."""
    model, found = Unit2Mel(DiffusionConfig()).eval(), {}
    song = lambda count, frames: (torch.randn(count, frames, 768), torch.full((count, frames, 1), 220.0),
                                  torch.rand(count, frames, 1))  # fmt: skip
    whole, crop = song(1, FRAMES), (*song(BATCH, CROP), torch.randn(BATCH, CROP, 128) - 5)
    optimizer, denoiser = torch.optim.AdamW(model.parameters(), 1e-4), model.decoder.denoise_fn
    x, step = torch.randn(1, 128, FRAMES), torch.tensor([500.0])

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = model.loss(*crop)
        loss.backward()
        optimizer.step()

    for name, dtype in TYPES.items():
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            condition = model.condition(*whole)
            told = denoiser.told(condition)
            for way, given in {"condition projected in each call": condition, "once": told}.items():
                run = lambda given=given: denoiser(x, step, given)
                found[f"denoiser call on 10 s, {way}, {name}"] = seconds(run, clock=clock)
            run = lambda: model(*whole, sampler="dpm-solver++", speedup=100)
            found[f"dpm-solver++, 10 calls on 10 s, {name}"] = seconds(run, 1, clock)
        found[f"training step of {BATCH} x {CROP} frames, {name}"] = seconds(train, 2, clock)
    return found


def heard_difference(song_seconds: float = 4.0) -> dict[str, float]:
    """What bfloat16 changes in a conversion by the lesson models: level of the difference, pitch, mel."""
    converter = Converter.load(lesson.voice_path(), diffusion=lesson.diffusion_path(), device="cpu")
    song = lesson.sing("bruno", "row")[0][: int(song_seconds * lesson.RATE)]
    how = dict(speaker="mina", semitones=lesson.semitones("bruno", "mina"), k_step=200)
    exact, half = (converter.convert(song, lesson.RATE, **how, half_diffusion=on).audio for on in (False, True))
    scores = compare(half, exact, sample_rate=lesson.RATE)
    level = 20 * np.log10(np.sqrt(np.mean((half - exact) ** 2) / np.mean(exact**2)))
    return {
        "difference of the sound, dB": float(level),
        "pitch, cents": scores.f0_median_cents,
        "mel distance": scores.mel_distance,
    }


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for clock, name in ((time.perf_counter, "s"), (time.process_time, "CPU s")):
        for what, value in measure(clock).items():
            print(f"{what:60}{value:9.3f} {name}", flush=True)
    for what, value in heard_difference().items():
        print(f"bf16 beside fp32: {what:42}{value:9.3f}")


if __name__ == "__main__":
    main()
