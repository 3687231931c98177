import numpy as np
import pytest

from svcnb.mixing import MixError, Timeline
from svcnb.widgets import MixTimeline


@pytest.fixture
def mixer():
    return MixTimeline(["anna", "ben", "cleo"], 10.0, silences=[(4.0, 5.0), (8.0, 8.2)])


def ask(mixer, **message):
    mixer._heed(mixer, message, [])
    return mixer.points


def test_it_begins_with_the_first_speaker_alone(mixer):
    assert mixer.points == [[0.0, [1, 0, 0]], [10.0, [1, 0, 0]]]
    assert mixer.timeline.weights(4).tolist() == [[1, 0, 0]] * 4


def test_shares_follow_the_points(mixer):
    ask(mixer, do="share", number=1, speaker=1, share=1)
    weights = mixer.timeline.weights(1000)
    np.testing.assert_allclose(weights[[0, 250, 500]], [[1, 0, 0], [0.75, 0.25, 0], [0.5, 0.5, 0]], atol=1e-3)


def test_adding_a_point_changes_nothing_yet(mixer):
    ask(mixer, do="share", number=1, speaker=2, share=1)
    before = mixer.timeline.weights(500)
    points = ask(mixer, do="add", second=2.5)
    assert points[1] == [2.5, pytest.approx([0.75, 0, 0.25])] and mixer.chosen == 1
    np.testing.assert_allclose(mixer.timeline.weights(500), before, atol=5e-3)


def test_a_share_leaves_the_proportions_of_the_others(mixer):
    ask(mixer, do="border", number=0, speaker=0, height=0.2)
    ask(mixer, do="share", number=0, speaker=2, share=0.5)
    assert mixer.points[0][1] == pytest.approx([0.1, 0.4, 0.5])
    ask(mixer, do="share", number=0, speaker=1, share=1)
    assert mixer.points[0][1] == [0, 1, 0]
    ask(mixer, do="share", number=0, speaker=1, share=0.4)  # the others had nothing: they get the same
    assert mixer.points[0][1] == pytest.approx([0.3, 0.4, 0.3])


def test_a_border_moves_between_its_neighbours(mixer):
    ask(mixer, do="border", number=0, speaker=0, height=0.2)
    assert mixer.points[0][1] == pytest.approx([0.2, 0.8, 0])
    ask(mixer, do="border", number=0, speaker=1, height=0.1)  # not below the first speaker's
    assert mixer.points[0][1] == pytest.approx([0.2, 0, 0.8])
    ask(mixer, do="border", number=0, speaker=2, height=0.5)
    assert "no border" in mixer.said


def test_a_border_between_two_areas_lets_nobody_else_in(mixer):
    ask(mixer, do="share", number=0, speaker=2, share=0.4)
    assert mixer.points[0][1] == pytest.approx([0.6, 0, 0.4])
    for speaker, height in ((0, 0.3), (1, 0.9)):
        ask(mixer, do="border", number=0, speaker=speaker, height=height)
        assert mixer.points[0][1] == pytest.approx([height, 0, 1 - height])


def test_points_move_between_their_neighbours(mixer):
    ask(mixer, do="add", second=3)
    ask(mixer, do="add", second=6)
    assert ask(mixer, do="move", number=1, second=7.5)[1][0] == 6  # a jump, at most
    assert ask(mixer, do="move", number=1, second=-2)[1][0] == 0


def test_snapping_to_silence(mixer):
    ask(mixer, do="add", second=3)
    assert ask(mixer, do="move", number=1, second=4.1, snap=True)[1][0] == 4.1  # it is in one
    assert ask(mixer, do="move", number=1, second=7.8, snap=True)[1][0] == 8.1
    assert ask(mixer, do="move", number=1, second=7.8)[1][0] == 7.8
    assert ask(mixer, do="move", number=1, second=2.0, snap=True)[1][0] == 2.0  # too far


def test_deleting_undoing_redoing(mixer):
    ask(mixer, do="add", second=3)
    added = mixer.points
    ask(mixer, do="delete", number=1)
    assert len(mixer.points) == 2 and mixer.can == {"undo": True, "redo": False}
    assert ask(mixer, do="undo") == added and mixer.can["redo"]
    assert len(ask(mixer, do="redo")) == 2
    ask(mixer, do="delete", number=0)
    ask(mixer, do="delete", number=0)
    assert "last point stays" in mixer.said and len(mixer.points) == 1
    assert mixer.timeline.weights(3).tolist() == [[1, 0, 0]] * 3
    ask(mixer, do="delete", number=7)
    assert "no point number 7" in mixer.said


def test_the_originals_tracks_go_in_and_out():
    tracks = {0: [[0, 0.5, 1, 0.5], [0.5, 1, 0, 0]], 1: [[0, 0.5, 0, 0.5], [0.5, 1, 1, 1]]}
    mixer = MixTimeline(["a", "b"], 8.0, timeline=Timeline(tracks))
    assert mixer.points == [[0, [1, 0]], [4, [0.5, 0.5]], [4, [0, 1]], [8, [0, 1]]]
    np.testing.assert_allclose(mixer.timeline.weights(640), Timeline(tracks).weights(640), atol=1e-6)
    assert mixer.can == {"undo": False, "redo": False}


def test_where_no_track_is_all_share_alike():
    mixer = MixTimeline(["a", "b"], 2.0, timeline=Timeline({0: [[0, 0.5, 1, 1]], 1: [[0, 0.5, 0, 0]]}))
    assert mixer.points == [[0, [1, 0]], [1, [1, 0]], [1, [0.5, 0.5]], [2, [0.5, 0.5]]]


def test_a_timeline_can_be_set(mixer):
    before = mixer.points
    mixer.timeline = Timeline({n: [[0, 1, n, n]] for n in range(3)})
    assert mixer.points[0][1] == pytest.approx([0, 1 / 3, 2 / 3], abs=1e-6)
    mixer.undo()
    assert mixer.points == before
    with pytest.raises(MixError, match="2 speakers, but these are 3"):
        mixer.timeline = Timeline({0: [[0, 1, 1, 1]], 1: [[0, 1, 1, 1]]})


def test_a_song_must_be_there():
    with pytest.raises(MixError, match="at least one"):
        MixTimeline([], 3)
    with pytest.raises(MixError, match="longer"):
        MixTimeline(["a"], 0)


def test_a_picture_stands_for_it(mixer):
    assert repr(mixer) == "<MixTimeline: to be used in a running notebook>"
    assert mixer.figure().axes[0].get_xlim() == (0, 10)


def test_what_changes_nothing_is_no_step(mixer):
    ask(mixer, do="share", number=0, speaker=0, share=1)
    assert mixer.can == {"undo": False, "redo": False} and mixer.said.startswith("At 0.00 s: anna 100%")
