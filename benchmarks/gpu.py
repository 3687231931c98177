"""A training step on a GPU: seconds in float32, in bfloat16, and compiled; utilisation; what limits it.

    python -m benchmarks.gpu [--batch 6] [--frames 200] [--tiny --device cpu --ways fp32]

Utilisation is the share of wall time in which the GPU works on a kernel; where it is far under 1, Python that hands out
kernels is the limit, and larger batches or compiling help. The longest kernels are named. --tiny tries the script out.
"""

import argparse
import time

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.training import batch
from svcnb.config import Config
from svcnb.training.loop import accelerator, fast_arithmetic
from svcnb.training.sovits import new_state, train_step

WAYS = {"fp32": ("fp32", False), "bf16": ("bf16", False), "compiled": ("bf16", True)}


def seconds_a_step(step, device: torch.device, steps: int) -> float:
    """Mean of some steps after three to warm up."""
    for _ in range(3):
        step()
    wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    return (time.perf_counter() - start) / steps


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def utilisation(step, device: torch.device) -> tuple[float, list[str]]:
    """Share of time in which kernels run, and the three that take longest."""
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=kinds) as watched:
        start = time.perf_counter()
        step()
        wait(device)
        seconds = time.perf_counter() - start
    own = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = sorted(watched.key_averages(), key=lambda event: -getattr(event, own))
    busy = sum(getattr(event, own) for event in events) / 1e6
    return busy / seconds, [f"{event.key[:40]} {getattr(event, own) / 1e6 / busy:.0%}" for event in events[:3]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--batch", type=int, default=6)
    options.add_argument("--frames", type=int, default=200)
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--device", default="auto")
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    chosen = options.parse_args()
    config = Config.preset("lesson", "lesson", ["a"]) if chosen.tiny else Config.preset("full")
    print(f"{'':16}{'s a step':>10}{'busy':>7}  longest kernels")
    with fast_arithmetic():
        for name in chosen.ways:
            print(f"{name:16}{measured(name, config, chosen)}", flush=True)


def measured(name: str, config: Config, chosen: argparse.Namespace) -> str:
    """A row of the table."""
    precision, compiled = WAYS[name]
    acc = accelerator(precision, chosen.device)
    state = new_state(config, acc)
    if compiled:
        for model in state.plain_models().values():
            model.compile()
    clip = batch(config, chosen.frames, chosen.batch).to(acc.device)
    step = lambda: train_step(state, clip, config, acc)
    seconds = seconds_a_step(step, acc.device, chosen.steps)
    busy, longest = utilisation(step, acc.device)
    return f"{seconds:10.4f}{busy:7.0%}  {'; '.join(longest)}"


if __name__ == "__main__":
    main()
