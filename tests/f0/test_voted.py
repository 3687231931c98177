"""The vote: what members agree on, what it mends and what it leaves alone."""

import sys

import numpy as np
import pytest

from svcnb import f0
from svcnb.f0.voted import vote

EQUAL = np.ones(3) / 3


def test_majority_decides_pitch_and_voicing():
    right = np.full(50, 220.0)
    wrong, short = right.copy(), right.copy()
    wrong[20:25] = 440
    short[40:] = 0
    out = vote(np.array([wrong, right, short]), EQUAL, 50, 1100)
    np.testing.assert_allclose(out, 220)
    out = vote(np.array([short, short, right]), EQUAL, 50, 1100)
    assert (out[:40] == 220).all() and (out[40:] == 0).all()


def test_octave_jump_that_one_member_does_not_hear_is_mended():
    first = np.full(50, 220.0)
    first[20:24] = 110
    third = first.copy()
    third[20:24] = 0
    second = np.where(first == 110, 150, first)
    np.testing.assert_allclose(vote(np.array([first, second, third]), EQUAL, 50, 1100), 220)


def test_what_all_agree_on_stands():
    melody = np.repeat([220.0, 440.0, 220.0, 660.0], [30, 3, 30, 3])
    np.testing.assert_allclose(vote(np.array([melody] * 3), EQUAL, 50, 1100), melody)


def test_pitch_is_the_first_members():
    members = np.array([np.full(20, 220.0), np.full(20, 221.0), np.full(20, 219.5)])
    np.testing.assert_allclose(vote(members, EQUAL, 50, 1100), 220)


def test_limits_hold():
    members = np.array([np.full(20, 100.0), np.full(20, 300.0), np.full(20, 300.0)])
    out = vote(members, EQUAL, 280, 320)
    np.testing.assert_allclose(out, 300)


def test_a_member_beyond_the_limits_does_not_spoil_the_rest():
    members = np.full((3, 20), 300.0)
    members[:, 7] = 350
    out = vote(members, EQUAL, 280, 320)
    np.testing.assert_allclose(np.delete(out, 7), 300)


def test_nobody_hears_anything():
    assert (vote(np.zeros((3, 20)), EQUAL, 50, 1100) == 0).all()


@pytest.mark.parametrize("swift", [True, False])
def test_predictor(hum, monkeypatch, swift):
    if swift:
        pytest.importorskip("swift_f0")
    else:
        monkeypatch.setitem(sys.modules, "swift_f0", None)
    wav = hum(220)
    wav[len(wav) // 2 :] = 0
    out = f0.get("voted", device="cpu")(wav)
    assert np.abs(1200 * np.log2(out.hz[2:40] / 220)).max() < 20
    assert not out.voiced[-35:].any()
