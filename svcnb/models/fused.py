"""The alias-free snake in one pass over memory, for singing on a CPU.

Step by step, as `snake` has it, most of the time goes into carrying numbers to memory and back. Here a few samples of
all channels go the whole way before the next ones come: the same numbers, in a quarter of the time.

Notebook: 05_infer
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numba
import numpy as np
import torch

VALUES = 8192  # that go together, so that they stay in a core's nearest memory
# sin²(πx/2) = q (c₀ + c₁q + c₂q² + c₃q³) with q = x², to 3e-8 for |x| ≤ 1/2; sin²(πx) is 4 times that less its square.
HALF = tuple(np.float32(c) for c in (2.467397759, -2.029225670, 0.666046947, -0.110040315))


def snake_alias(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, up: torch.Tensor, down: torch.Tensor):
    """x (B, C, 1, T) through the alias-free snake, on the CPU; the result is like x, channels last in memory.

    alpha, beta (C,): of the snake, not their logarithms; up, down (12,): taps of its filters.
    """
    rows = x[:, :, 0].mT.float().contiguous()
    out, threads = torch.empty_like(rows), torch.get_num_threads()
    given = [values.float().numpy() for values in (alpha / torch.pi, 4 / beta, 2 * up.flip(0), down)]
    shares = list(pairwise(np.linspace(0, rows.shape[1], threads + 1).astype(int)))
    for item, result in zip(rows.numpy(), out.numpy(), strict=True):
        list(_workers(threads).map(lambda share, arrays=(item, *given, result): _pass(*share, *arrays), shares))
    return out.to(x.dtype).mT.unsqueeze(2)


_workers = cache(ThreadPoolExecutor)


@numba.njit(fastmath=True, nogil=True)
def _pass(first, stop, x, turn, weight, up, down, out):
    """Samples first to stop of x (T, C) into out: up to twice the rate, through the snake, and down again.

    Row after row in one line, so that the loops are long however few the channels are.
    """
    frames, channels = x.shape
    most = max(8, VALUES // channels)
    near = np.empty(((most + 10), channels), np.float32)  # samples from 5 before to 5 after
    on, between = np.empty((most + 5, channels), np.float32), np.empty((most + 5, channels), np.float32)
    turns, weights = np.empty(on.size, np.float32), np.empty(on.size, np.float32)
    for i in range(on.size):
        turns[i], weights[i] = turn[i % channels], weight[i % channels]
    for start in range(first, stop, most):
        count = min(most, stop - start)
        for i in range(count + 10):
            near[i] = x[min(max(start + i - 5, 0), frames - 1)]  # at the ends the outermost sample goes on
        _twice(near.ravel(), turns, weights, up, channels, (count + 5) * channels, on.ravel(), between.ravel())
        for i in range(count + 5):  # `on` begins 2 samples before `start`, `between` 3 before
            if start + i < 2:
                on[i] = on[2 - start]
            elif start + i - 2 >= frames:
                on[i] = between[frames + 2 - start]
            if start + i < 3:
                between[i] = on[2 - start]
            elif start + i - 3 >= frames:
                between[i] = between[frames + 2 - start]
        _once(on.ravel(), between.ravel(), down, channels, out[start : start + count].ravel())


@numba.njit(fastmath=True, nogil=True)
def _twice(x, turns, weights, up, channels, size, on, between):
    step = np.uintp(channels)  # an index without a sign is not looked at twice
    for i in range(np.uintp(size)):
        here, later = np.float32(0), np.float32(0)
        for k in range(6):
            here += up[2 * k] * x[i + np.uintp(k) * step]
            later += up[2 * k + 1] * x[i + np.uintp(k) * step]
        on[i] = _snake(here, turns[i], weights[i])
        between[i] = _snake(later, turns[i], weights[i])


@numba.njit(fastmath=True, nogil=True)
def _snake(x, turn, weight):
    turns = turn * x
    turns -= np.rint(turns)
    q = turns * turns
    half = q * (HALF[0] + q * (HALF[1] + q * (HALF[2] + q * HALF[3])))
    return x + weight * (half - half * half)


@numba.njit(fastmath=True, nogil=True)
def _once(on, between, down, channels, out):
    step = np.uintp(channels)
    for i in range(np.uintp(out.size)):
        value = np.float32(0)
        for k in range(6):
            value += down[2 * k + 1] * on[i + np.uintp(k) * step] + down[2 * k] * between[i + np.uintp(k) * step]
        out[i] = value
