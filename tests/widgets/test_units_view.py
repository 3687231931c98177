"""The Python half of UnitsView: neighbours stay neighbours, frames have times, wrong numbers are refused."""

import numpy as np
import pytest

from svcnb.widgets import UnitsView
from svcnb.widgets.units_view import plane


def three_heaps(count=20):
    """Units of three well parted groups (3 * count, 8)."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(8 * k, 0.3, (count, 8)) for k in range(3)]).astype(np.float32)


@pytest.fixture
def view():
    return UnitsView(three_heaps(), np.zeros(16000, np.float32), 16000, ["a"] * 20 + ["b"] * 20 + ["c"] * 20)


def test_what_is_alike_lies_together():
    flat = plane(three_heaps())
    assert flat.shape == (60, 2) and flat.min() == 0 and flat.max() == 1
    middles = np.array([flat[20 * k : 20 * k + 20].mean(0) for k in range(3)])
    nearest = ((flat[:, None] - middles) ** 2).sum(-1).argmin(1)
    assert (nearest == np.repeat([0, 1, 2], 20)).all()
    assert (plane(three_heaps()) == flat).all(), "the same picture every time"


def test_frames_know_their_moment_and_their_group(view):
    view.choose(26)
    assert view.chosen == 26 and view.said == "b, 0.44 s"
    seconds = np.frombuffer(view.seconds, np.float32)
    assert seconds[[0, -1]] == pytest.approx([0.5 / 60, 59.5 / 60])
    assert view.groups == ["a", "b", "c"] and list(view.group[::20]) == [0, 1, 2]


def test_a_frame_that_is_not_there_is_refused_in_a_sentence(view):
    view._heed(view, {"do": "choose", "frame": 60}, [])
    assert view.chosen == -1 and view.said == "There is no frame 60; there are 60."


@pytest.mark.parametrize(
    ("units", "groups", "sentence"),
    [
        (np.zeros((2, 4)), None, "three frames at least"),
        (np.full((5, 4), np.nan), None, "finite"),
        (np.zeros((5, 4)), ["a"], "There are 1 names"),
        (np.zeros((30, 4)), [str(k) for k in range(30)], "30 groups"),
    ],
)
def test_what_can_not_be_shown(units, groups, sentence):
    with pytest.raises(ValueError, match=sentence):
        UnitsView(units, np.zeros(100), 16000, groups)


def test_without_a_page_there_is_a_picture(view):
    legend = view.figure().legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
