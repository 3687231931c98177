"""Each core works on a part of its own, and nobody else notices."""

import threading

import pytest
import torch

from svcnb.models.side_by_side import cores, each, shared_out


@pytest.fixture(autouse=True, params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order_from_threads_with_one_core_each(threads):
    with torch.inference_mode():
        results = each(lambda i: (i, cores(), torch.is_inference_mode_enabled()), range(7))
    assert results == [(i, 1, True) for i in range(7)]
    assert not any(each(lambda _: torch.is_inference_mode_enabled(), range(3)))
    assert cores() == threads


def test_a_thread_that_begins_later_has_all_cores(threads):
    each(lambda i: i, range(3))
    seen = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start(), later.join()
    assert seen == [threads]


def test_work_may_share_out_what_it_has(threads):
    done = torch.zeros(2, 10)

    def work(row):
        def fill(first, stop):
            done[row, first:stop] += 1

        shared_out(10, fill)

    each(work, range(2))
    assert (done == 1).all()


def test_an_error_reaches_the_caller(threads):
    with pytest.raises(ZeroDivisionError):
        each(lambda i: 1 // i, range(3))
