"""Work for all the cores that torch may use, each busy with a part of its own.

Two cores that convolve together wait for each other after every layer; two that convolve apart do not.

Notebook: 05_infer
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Barrier

import numpy as np
import torch


def cores() -> int:
    return torch.get_num_threads()


def each(work: Callable, items: Iterable) -> list:
    """work(item) for every item, each on one core, as many at once as there are cores."""
    if cores() == 1:
        return [work(item) for item in items]
    inference = torch.is_inference_mode_enabled()  # of this thread; the others have to be told

    def told(item):
        with torch.inference_mode(inference):
            return work(item)

    return list(_workers(cores()).map(told, items))


def shared_out(count: int, work: Callable[[int, int], None]) -> None:
    """Call work(first, stop) for as many shares of `count` as there are cores."""
    each(lambda share: work(*share), pairwise(np.linspace(0, count, cores() + 1).astype(int)))


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    """Threads in which torch uses one core."""
    pool, all_here = ThreadPoolExecutor(count), Barrier(count)

    def begin(_):
        torch.set_num_threads(1)
        torch.get_num_threads()  # from here on this thread keeps its number
        all_here.wait()

    list(pool.map(begin, range(count)))
    torch.set_num_threads(count)  # what was set last is what threads that begin later take
    return pool
