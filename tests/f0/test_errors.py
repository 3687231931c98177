"""Errors of a curve against the truth, worked out by hand."""

import numpy as np
import pytest

from svcnb.f0 import F0
from svcnb.f0.errors import errors


def curve(*hz):
    return F0(np.array(hz, float), np.array(hz) > 0)


def test_each_figure_counts_its_own_frames():
    cent = 2 ** (1 / 1200)
    found = curve(100 * cent**10, 100 * cent**60, 200, 0, 100, 100)
    got = errors(found, np.array([100.0, 100, 100, 100, 0, 100]))
    assert got.cents == pytest.approx((10 + 60) / 2)
    assert (got.gross, got.octave) == (0.5, 0.25)
    assert got.vuv == pytest.approx(2 / 6)
    assert got.right == pytest.approx(2 / 5)


def test_where_nothing_is_sung_there_is_no_error_in_cents():
    got = errors(curve(0, 0), np.zeros(2))
    assert np.isnan(got.cents) and np.isnan(got.right) and got.vuv == 0


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="2 frames and the truth 3"):
        errors(curve(1, 2), np.ones(3))
