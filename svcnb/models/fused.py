"""The alias-free snake in one pass over memory, for singing on a CPU.

Step by step, as `snake` has it, most of the time goes into carrying numbers to memory and back. Here a few samples of
all channels go the whole way before the next ones come: the same numbers, in a third of the time.

Notebook: 05_infer
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numba
import numpy as np
import torch

ROWS = 32  # samples that go together, so that they stay in a core's nearest memory
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
    """Samples first to stop of x (T, C) into out: up to twice the rate, through the snake, and down again."""
    frames, channels = x.shape
    twice = np.empty((2 * ROWS + 10, channels), np.float32)  # at twice the rate, from 5 samples before to 5 after
    for start in range(first, stop, ROWS):
        count = min(ROWS, stop - start)
        for i in range(2 * count + 10):
            place = min(max(2 * start + i - 5, 0), 2 * frames - 1)  # at the ends the outermost sample goes on
            between = place % 2
            for c in range(channels):
                value = np.float32(0)
                for k in range(6):
                    value += up[2 * k + between] * x[min(max(place // 2 + between + k - 3, 0), frames - 1), c]
                turns = turn[c] * value
                turns -= np.rint(turns)
                q = turns * turns
                half = q * (HALF[0] + q * (HALF[1] + q * (HALF[2] + q * HALF[3])))
                twice[i, c] = value + weight[c] * (half - half * half)
        for i in range(count):
            for c in range(channels):
                value = np.float32(0)
                for k in range(12):
                    value += down[k] * twice[2 * i + k, c]
                out[start + i, c] = value
