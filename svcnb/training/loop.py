"""What every training loop needs: device and precision, a step's own random numbers, a stop that waits its turn.

Notebook: 03_train_sovits
"""

import contextlib
import hashlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import is_bf16_available

PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


@dataclass(frozen=True)
class Step:
    """What one training step did."""

    step: int  # steps made so far, this one included
    epoch: int  # from 1
    losses: dict[str, float]  # unweighted, except for `total`
    grad_norms: dict[str, float]  # before clipping
    learning_rate: float
    seconds: float  # that this step took
    eta: float | None  # seconds to the last step, where one was given
    skipped: str | None = None  # why the step changed nothing: which value was not finite
    audio: dict[str, np.ndarray] = field(default_factory=dict)  # at an evaluation: clip name to sound
    scores: dict[str, float] = field(default_factory=dict)  # at an evaluation
    saved: Path | None = None  # the model file, when one was written
    resumed_from: int | None = None  # at the first step of a resumed run


def accelerator(precision: str = "auto", device: str = "auto") -> Accelerator:
    """Device and precision to train with; of several processes, started by accelerate's launcher, this one's.

    `auto` is bfloat16 on a GPU that has it natively, else float32. Raises ValueError.
    """
    if precision == "auto":
        native = device != "cpu" and torch.cuda.is_available() and is_bf16_available(ignore_tpu=True)
        precision = "bf16" if native and torch.cuda.get_device_capability() >= (8, 0) else "fp32"
    if precision not in PRECISIONS:
        raise ValueError(f"There is no precision {precision!r}; there are auto, {', '.join(PRECISIONS)}.")
    return Accelerator(cpu=device == "cpu", mixed_precision=PRECISIONS[precision])


@contextlib.contextmanager
def own_random_numbers(seed: int, step: int, rank: int) -> Iterator[None]:
    """Inside, torch draws what belongs to this step and process; outside, nothing has changed."""
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        yield


@contextlib.contextmanager
def finish_before_stopping() -> Iterator[None]:
    """An interrupt (Ctrl-C, the notebook's stop button) inside waits until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def update(model, optimizer, scaler, largest: float) -> tuple[float, bool]:
    """Let the optimiser make its step, unless a gradient is not finite.

    Gradients are scaled down together when their norm is above `largest`; 0 leaves them. Returns the norm before that,
    and whether the step was made.
    """
    if scaler is not None:
        scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = bool(norm.isfinite())
    if finite:
        if largest:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), largest, norm)
        optimizer.step() if scaler is None else scaler.step(optimizer)
    return norm.item(), finite
