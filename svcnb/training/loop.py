"""The loop that all trainings share, and what it needs: device, random numbers of a step, a stop that waits its turn.

Notebook: 03_train_sovits
"""

import contextlib
import hashlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import is_bf16_available

from svcnb import files
from svcnb.training.state import State

log = logging.getLogger(__name__)
ENDLESS = 10**12  # steps
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
    if PartialState(cpu=device == "cpu").num_processes == 1:  # a notebook may train again, otherwise
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu", mixed_precision=PRECISIONS[precision])


@contextlib.contextmanager
def alone_in(folder: Path, acc: Accelerator) -> Iterator[None]:
    """Inside, no other training may work in this folder. Raises BusyError where one does already, OSError."""
    if not acc.is_main_process:  # the others belong to the one that holds the folder
        yield
        return
    with files.alone_in(folder, "training"):
        files.remove_parts(folder)
        yield


def run(
    state: State,
    batches: Iterable,
    last: int,
    every: int,
    advance: Callable[..., Step],
    keep: Callable[[Step], Step],
    write: Callable[[Step], None],
) -> Iterator[Step]:
    """A step per batch, up to step `last`.

    advance makes the step of a batch; keep, at every `every`-th, at the last, and when the loop is left or interrupted,
    evaluates it and saves model and state; write is told of each.
    """
    saved = state.step
    with fast_arithmetic():
        try:
            for batch in islice(batches, max(0, last - state.step)):
                with finish_before_stopping():
                    step = advance(batch)
                    if state.step % every == 0 or state.step == last:
                        step, saved = keep(step), state.step
                write(step)
                yield step
        except (KeyboardInterrupt, GeneratorExit):
            if state.step > saved:
                with finish_before_stopping():
                    keep(step)
                log.info("stopped and saved after step %d", state.step)
            raise


@contextlib.contextmanager
def fast_arithmetic() -> Iterator[None]:
    """Inside, a GPU multiplies float32 in TF32 and looks for its fastest convolutions, and a CPU takes tiny for zero.

    Afterwards all is as it was; numbers near zero are slow on a CPU and of no use.
    """
    multiplying, searching = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = searching
        torch.set_float32_matmul_precision(multiplying)
        torch.set_flush_denormal(False)


def make_step(
    state: State, train: Callable[[], tuple], rate: float, seed: int, epoch: int, last: int, acc: Accelerator
) -> Step:
    """Let `train` make a step at a learning rate, with random numbers of its own.

    It returns the losses, the gradients' norms, and why the step was left out, if it was.
    """
    began = time.perf_counter()
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = rate
    for model in state.models.values():
        model.train()
    with own_random_numbers(seed, state.step, acc.process_index):
        losses, norms, skipped = train()
    state.step += 1
    if skipped:
        state.skipped += 1
        log.warning("step %d changed nothing: %s (%d such steps so far)", state.step, skipped, state.skipped)
    else:
        state.follow()
    seconds = time.perf_counter() - began
    eta = seconds * (last - state.step) if last < ENDLESS else None
    resumed, state.resumed_from = state.resumed_from, None
    return Step(state.step, epoch, losses, norms, rate, seconds, eta, skipped, resumed_from=resumed)


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


def adamw(model: torch.nn.Module, rate: float, *args, **kwargs) -> torch.optim.AdamW:
    """AdamW over what learns of a network, in one pass over memory where the device can."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return torch.optim.AdamW(parameters, rate, *args, fused=fused, **kwargs)


def numbers(losses: dict[str, torch.Tensor]) -> dict[str, float]:
    """Losses as plain numbers."""
    return {name: value.item() for name, value in losses.items()}


def not_finite(losses: dict[str, torch.Tensor], network: str) -> str:
    """Why the step of a network is left out."""
    bad = [name for name, value in losses.items() if not value.isfinite() and name != "total"]
    return f"the loss {bad[0]} is not finite" if bad else f"the {network}'s gradient is not finite"


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
