"""Seconds of work, and the share of what this machine can convolve that it reaches.

A machine that does other things at the same time is slow and quick by turns. So what is compared takes turns, the best
of each counts, and beside it stands how fast a large convolution ran between them. With one thread (OMP_NUM_THREADS=1)
the processor's own time is taken, which the other work hardly touches.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

CHANNELS, TAPS, SAMPLES = 128, 7, 11025  # of the convolution that stands for the machine


@dataclass(frozen=True)
class Timing:
    """seconds: of one run; gflop: convolutions and matrix products in it.

    peak: GFLOP/s of the large convolution, in the precision of the run; machine: in float32.
    """

    seconds: float
    gflop: float
    peak: float
    machine: float

    @property
    def share(self) -> float:
        """Of what the machine would do in that time, were it convolving only."""
        return self.gflop / self.seconds / self.peak


def clock() -> float:
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def seconds_of(work: Callable[[], object]) -> float:
    start = clock()
    work()
    return clock() - start


def take_turns(work: dict[str, Callable[[], object]], rounds: int = 3) -> dict[str, Timing]:
    """The best of some rounds of each; a name that ends in bf16 is measured against the peak in bfloat16."""
    gflop = {name: _gflop(run) for name, run in work.items()}  # the first run, to warm up
    peaks = {False: _convolution(torch.float32), True: _convolution(torch.bfloat16)}
    best, fastest = dict.fromkeys(work, float("inf")), dict.fromkeys(peaks, float("inf"))
    for _ in range(rounds):
        for name, run in work.items():
            best[name] = min(best[name], seconds_of(run))
            for narrow, convolve in peaks.items():
                fastest[narrow] = min(fastest[narrow], seconds_of(convolve))
    speed = {narrow: 2e-9 * CHANNELS**2 * TAPS * SAMPLES / seconds for narrow, seconds in fastest.items()}
    return {name: Timing(best[name], gflop[name], speed[name.endswith("bf16")], speed[False]) for name in work}


def _gflop(run: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e9


def _convolution(dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    convolve = torch.nn.Conv1d(CHANNELS, CHANNELS, TAPS, padding=TAPS // 2).to(dtype).requires_grad_(False)
    sound = torch.randn(1, CHANNELS, SAMPLES, dtype=dtype)
    convolve(sound)
    return lambda: convolve(sound)
