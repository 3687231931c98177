import numpy as np
import pytest

from svcnb.f0 import F0
from svcnb.melody import MelodyError
from svcnb.widgets import PitchEditor

RATE = 44100 / 512


@pytest.fixture
def editor():
    wav = 0.1 * np.sin(2 * np.pi * 220 * np.arange(4 * 44100) / 44100)
    hz = np.full(344, 220.0)
    hz[100:120] = 0
    return PitchEditor(wav, F0(hz, hz > 0))


def said(editor, **message):
    """As the page asks for it."""
    editor._heed(editor, message, [])
    return np.frombuffer(editor.hz, "<f4")


def test_the_page_gets_curve_picture_and_sound(editor):
    import io

    import soundfile

    assert np.frombuffer(editor.hz, "<f4").tolist() == editor.f0.hz.tolist()
    rows, columns = editor.shape
    levels = np.frombuffer(editor.picture, np.uint8).reshape(rows, columns)
    low, high = editor.bounds
    loudest = np.geomspace(high, low, rows)[levels[:, columns // 2].argmax()]
    assert loudest == pytest.approx(220, rel=0.05)  # the highest pitch comes first
    sound, rate = soundfile.read(io.BytesIO(editor.sound))
    assert len(sound) / rate == pytest.approx(4, abs=0.01)


def test_a_stretch_is_changed_and_nothing_else(editor):
    hz = said(editor, do="edit", change="shift", start=0.5, stop=1.0, semitones=12)
    first, last = round(0.5 * RATE), round(1.0 * RATE)
    assert set(hz[first:last]) == {440} and set(np.delete(hz, range(first, last))) == {0, 220}
    assert editor.said == "Shifted by +12.00 semitones, 0.50 to 1.00 s."
    assert np.array_equal(editor.f0.voiced, editor.f0.hz > 0) and len(editor.f0.hz) == 344


@pytest.mark.parametrize(
    "how",
    [
        {"change": "to_scale", "key": "D", "mode": "major"},
        {"change": "vibrato", "rate": 6, "depth": 80},
        {"change": "unvoice"},
        {"change": "shift", "semitones": -1},
    ],
    ids=lambda how: how["change"],
)
def test_each_change_can_be_undone(editor, how):
    before = editor.f0.hz
    editor.edit("shift", semitones=0.3)
    shifted = editor.f0.hz
    after = said(editor, do="edit", start=0, stop=4, **how)
    assert np.abs(after - shifted).max() > 1
    said(editor, do="undo")
    assert np.array_equal(editor.f0.hz, shifted) and editor.can == {"undo": True, "redo": True}
    assert np.allclose(said(editor, do="redo"), after)
    said(editor, do="undo")
    assert np.allclose(said(editor, do="undo"), before) and editor.can == {"undo": False, "redo": True}
    said(editor, do="undo")
    assert editor.said == "Nothing to undo."


def test_a_new_change_ends_what_could_be_redone(editor):
    editor.edit("shift", semitones=1)
    editor.undo()
    editor.edit("voice")
    assert editor.can == {"undo": True, "redo": False} and editor.f0.voiced.all()


def test_vibrato_fades_at_the_edges_of_the_selection(editor):
    hz = said(editor, do="edit", change="vibrato", start=2, stop=3, rate=6, depth=100)
    assert np.abs(np.diff(hz[round(2 * RATE) - 1 : round(2 * RATE) + 2])).max() < 5
    assert np.ptp(hz[round(2.3 * RATE) : round(2.7 * RATE)]) > 15


def test_smooth_and_flatten_keep_what_is_even(editor):
    for change in ("smooth", "flatten"):
        assert np.allclose(said(editor, do="edit", change=change, start=0, stop=4), editor._before.hz)


def test_drawing(editor):
    hz = said(editor, do="draw", seconds=[1.0, 1.2, 1.5], pitches=[200, 300, 250])
    assert hz[round(1.2 * RATE)] == pytest.approx(300, rel=0.02)
    assert (hz[round(1.0 * RATE) : round(1.5 * RATE)] > 0).all()  # also over the gap


def test_what_can_not_be_done_is_said(editor):
    before = editor.hz
    said(editor, do="edit", change="to_scale", start=0, stop=1, key="H")
    assert "no key 'H'" in editor.said and editor.hz == before and not editor.can["undo"]
    with pytest.raises(ValueError, match="does not know"):
        said(editor, do="__init__")
    with pytest.raises(MelodyError, match="there are shift"):
        editor.edit("whistle")


def test_another_hop_is_refused():
    with pytest.raises(MelodyError, match="hop"):
        PitchEditor(np.zeros(44100), F0(np.zeros(10), np.zeros(10, bool)))


def test_it_is_shown_the_same_way_each_time(editor):
    assert editor._repr_mimebundle_()[0]["text/plain"] == "<PitchEditor: to be used in a running notebook>"
    assert editor.figure().axes


def test_what_changes_nothing_is_no_step(editor):
    editor.edit("shift", semitones=0)
    assert editor.can == {"undo": False, "redo": False} and editor.said.startswith("Shifted by")
