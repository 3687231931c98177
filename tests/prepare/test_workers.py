import errno
import math
import os

import pytest

from svcnb.prepare.workers import Workers


def process_of(task):
    return os.getpid()


def fail(task):
    raise OSError(errno.ENOSPC, "the disk is full")


def die(task):
    os._exit(1)


def test_one_process_works_here_and_in_order():
    with Workers(1) as workers:
        assert list(workers.run(math.sqrt, [4, 9])) == [(4, 2), (9, 3)]
        assert {pid for _, pid in workers.run(process_of, [1, 2])} == {os.getpid()}


def test_several_processes_work_elsewhere_are_started_once_and_pass_errors_on():
    with Workers(2) as workers:
        assert dict(workers.run(math.sqrt, [4, 9, 16])) == {4: 2, 9: 3, 16: 4}
        pool = workers.pool
        assert os.getpid() not in {pid for _, pid in workers.run(process_of, [1, 2, 3])}
        with pytest.raises(OSError, match="the disk is full"):
            list(workers.run(fail, [1, 2]))
        assert workers.pool is pool


def test_nothing_to_do_starts_nothing():
    with Workers(2) as workers:
        assert list(workers.run(math.sqrt, [])) == [] and workers.pool is None


def test_few_tasks_are_not_worth_a_process():
    with Workers() as workers:
        list(workers.run(math.sqrt, [4] * 20))
        assert workers.pool is None


def test_a_dead_process_is_explained():
    with Workers(2) as workers, pytest.raises(RuntimeError, match="processes=1"):
        list(workers.run(die, [1, 2]))


def test_no_process_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Workers(0)
