"""A function over many tasks, one by one or several at once, here or in several processes; results come when ready.

Notebook: 01_data
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

import torch

T, R = TypeVar("T"), TypeVar("R")
MOST = 8  # processes that are chosen, each of which loads its own encoder
ENOUGH = 16  # tasks that are worth starting another process for


class Workers:
    """Processes that are started when there is work for them; `with` ends them, without waiting for open tasks.

    progress: called with how many tasks are done, of how many that were given until then.
    """

    def __init__(self, processes: int | None = None, progress: Callable[[int, int], None] | None = None):
        if processes is not None and processes < 1:
            raise ValueError(f"There must be at least one process, not {processes}.")
        self.processes, self.pool, self.progress = processes, None, progress
        self.done = self.total = 0

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        if self.pool:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def run(self, function: Callable[[T], R], tasks: list[T]) -> Iterator[tuple[T, R]]:
        """Pairs of task and result, in the order of their ending. What `function` raises is raised here."""
        return self.run_batches(partial(_one, function), [[task] for task in tasks])

    def run_batches(self, function: Callable[[list[T]], list[R]], batches: list[list[T]]) -> Iterator[tuple[T, R]]:
        """The same with a function that takes several tasks at once.

        A task counts as done when the next is asked for, so that what was made of it is safe if `progress` interrupts.
        """
        self.total += sum(map(len, batches))
        for batch, results in self._results(function, batches):
            for pair in zip(batch, results, strict=True):
                yield pair
                self.done += 1
                if self.progress:
                    self.progress(self.done, self.total)

    def _results(
        self, function: Callable[[list[T]], list[R]], batches: list[list[T]]
    ) -> Iterator[tuple[list[T], list[R]]]:
        if self.wanted(sum(map(len, batches))) == 1:
            yield from ((batch, function(batch)) for batch in batches)
            return
        try:
            pool = self._started()
            futures = {pool.submit(function, batch): batch for batch in batches}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise RuntimeError(
                "A worker process died: memory may be short, or this is a script without "
                '`if __name__ == "__main__":`. Run again with processes=1; what is done is kept.'
            ) from None

    def wanted(self, tasks: int) -> int:
        """Processes that so many tasks are given to."""
        if self.processes is not None:
            return min(self.processes, max(tasks, 1))
        return max(1, min(_cores(), MOST, tasks // ENOUGH))

    def _started(self) -> ProcessPoolExecutor:
        if self.pool is None:
            processes = self.processes or min(_cores(), MOST)
            context = multiprocessing.get_context("spawn")  # a forked process cannot use a GPU
            threads = max(1, _cores() // processes)
            self.pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(threads,))
        return self.pool


def _one(function: Callable[[T], R], batch: list[T]) -> list[R]:
    return [function(task) for task in batch]


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the main process, which ends the others


def _cores() -> int:
    return os.cpu_count() or 1
