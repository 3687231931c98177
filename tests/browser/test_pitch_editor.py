"""PitchEditor by mouse and keyboard: the curve is dragged, the message arrives, Python changes the melody."""

import numpy as np
import pytest

from svcnb.f0 import F0
from svcnb.widgets import PitchEditor

SECONDS, RATE = 4, 44100 / 512


@pytest.fixture
def editor():
    return melody(SECONDS)


def melody(seconds):
    """An editor of two phrases."""
    frames = np.arange(int(seconds * RATE))
    hz = 220 * 2 ** (np.select([frames < 120, frames < 140, frames < 240], [0, 0, 3], 7) / 12)
    hz[110:140] = 0  # two phrases
    hz = hz * 2 ** (0.4 / 12 * np.sin(frames / RATE * 2 * np.pi * 5.5))
    phase = 2 * np.pi * np.cumsum(np.repeat(hz, 512)) / 44100
    wav = sum(np.sin(n * phase) / n for n in range(1, 6)) * 0.1 * np.repeat(hz > 0, 512)
    return PitchEditor(wav, F0(hz, hz > 0))


def place(view, second, hz):
    """Where that is on the page."""
    box = view.page.locator("canvas").bounding_box()
    x, y = view.page.evaluate("([s, hz]) => [editor.x(s), editor.y(hz)]", [second, float(hz)])
    return box["x"] + x, box["y"] + y


def drag(view, *points):
    view.page.mouse.move(*points[0])
    view.page.mouse.down()
    for point in points[1:]:
        view.page.mouse.move(*point, steps=6)
    view.page.mouse.up()
    view.sync()


@pytest.fixture
def view(widget_page, editor):
    return opened(widget_page, editor)


def opened(widget_page, editor, **how):
    """The page, with the object behind it where a test can ask it for coordinates."""
    view = widget_page(editor, **how)
    view.page.evaluate("window.editor = document.querySelector('.svcnb canvas').editor")
    return view


def test_dragging_the_curve_shifts_its_phrase(view, editor):
    before = editor.f0.hz
    x, y = place(view, 0.5, before[43])
    drag(view, (x, y), (x, place(view, 0.5, before[43] * 2 ** (4 / 12))[1]))
    sent = view.messages[-1]
    assert sent["do"] == "edit" and sent["change"] == "shift" and sent["semitones"] == pytest.approx(4, abs=0.2)
    ratio = 2 ** (sent["semitones"] / 12)
    assert np.allclose(editor.f0.hz[:110], before[:110] * ratio) and np.allclose(editor.f0.hz[140:], before[140:])
    assert np.allclose(view.page.evaluate("Array.from(editor.hz)"), editor.f0.hz, rtol=1e-5)  # and the page shows it


def test_a_selection_takes_what_buttons_do(view, editor):
    before = editor.f0.hz
    drag(view, place(view, 2.0, 500), place(view, 3.0, 500))
    assert not view.messages  # selecting changes nothing
    view.page.get_by_label("Up by a semitone").click()
    view.page.get_by_role("button", name="Flatten").click()
    view.sync()
    assert [m["change"] for m in view.messages] == ["shift", "flatten"]
    assert view.messages[0]["start"] == pytest.approx(2, abs=0.02) and view.messages[0]["stop"] == pytest.approx(
        3, abs=0.02
    )
    assert np.allclose(editor.f0.hz[:170], before[:170]) and not np.allclose(editor.f0.hz[175:250], before[175:250])
    drag(view, place(view, 2.5, editor.f0.hz[215]), place(view, 2.5, editor.f0.hz[215] / 2))
    assert view.messages[-1]["start"] == pytest.approx(2, abs=0.02)  # the curve within a selection moves all of it


def test_drawing_by_hand(view, editor):
    view.page.get_by_role("button", name="Draw").click()
    drag(view, place(view, 1.0, 200), place(view, 1.4, 300), place(view, 1.8, 260))
    assert view.messages[-1]["do"] == "draw" and view.messages[-1]["seconds"] == sorted(view.messages[-1]["seconds"])
    hz = editor.f0.hz
    assert hz[round(1.4 * RATE)] == pytest.approx(300, rel=0.02) and (hz[round(RATE) : round(1.8 * RATE)] > 0).all()


def test_drawing_backwards_gives_the_same_line(view, editor):
    view.page.get_by_role("button", name="Draw").click()
    drag(view, place(view, 1.8, 260), place(view, 1.4, 300), place(view, 1.0, 200))
    assert editor.f0.hz[round(1.4 * RATE)] == pytest.approx(300, rel=0.02)


def test_everything_by_keyboard(view, editor):
    page, before = view.page, editor.f0.hz
    page.get_by_role("application").focus()
    page.keyboard.press("Control+ArrowRight")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    assert "selected 1.00 to 1.20 s" in page.get_by_role("status").inner_text()
    for key in ("ArrowUp", "Alt+ArrowDown", "Shift+ArrowUp", "s", "q", "b", "f", "Delete", "v"):
        page.keyboard.press(key)
    view.sync()
    assert [m["change"] for m in view.messages] == [
        "shift", "shift", "shift", "smooth", "to_scale", "vibrato", "flatten", "unvoice", "voice",
    ]  # fmt: skip
    assert [m.get("semitones") for m in view.messages[:3]] == [1, -0.1, 12]
    assert {(m["start"], m["stop"]) for m in view.messages} == {(1.0, 1.2)}
    assert "Made voiced, 1.00 to 1.20 s." in page.get_by_role("status").inner_text()
    for _ in range(9):
        page.keyboard.press("Control+z")
    view.sync()
    assert np.array_equal(editor.f0.hz, before) and page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    view.sync()
    assert not np.array_equal(editor.f0.hz, before)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    assert view.sync().messages[-1]["stop"] == pytest.approx(SECONDS, abs=0.03)  # nothing selected: all of it


def test_shift_with_arrows_grows_and_shrinks_the_selection(view):
    page = view.page
    page.get_by_role("application").focus()
    page.keyboard.press("Control+ArrowRight")
    for key in ["Shift+ArrowLeft"] * 3 + ["Shift+ArrowRight"]:
        page.keyboard.press(key)
    assert page.evaluate("editor.selection") == pytest.approx([0.9, 1.0])
    page.keyboard.press("Control+a")
    assert page.evaluate("editor.selection") == pytest.approx([0, SECONDS], abs=0.03)


def test_scale_and_vibrato_take_what_is_chosen(view):
    page = view.page
    page.get_by_label("Key of the scale").select_option("G")
    page.get_by_label("Mode of the scale").select_option("minor")
    page.get_by_role("button", name="Tune").click()
    page.get_by_label("Rate of the vibrato").fill("6.5")
    page.get_by_role("button", name="Add vibrato").click()
    view.sync()
    assert view.messages[0]["key"] == "G" and view.messages[0]["mode"] == "minor" and view.messages[1]["rate"] == 6.5


def test_it_plays_from_the_cursor(widget_page):
    view = opened(widget_page, melody(15))
    page = view.page
    page.get_by_role("application").focus()
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_function("editor.player.playing && editor.player.seconds > 1.15")
    assert page.get_by_role("button", name="Stop").is_visible()
    page.get_by_label("What is played").select_option("curve")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("!editor.player.playing")
    assert 1.1 < page.evaluate("editor.player.seconds") < 15


def test_the_tone_sings_the_curve(view):
    tone = np.array(view.page.evaluate("Array.from(editor.tone().getChannelData(0).slice(0, 22050))"))
    spectrum = np.abs(np.fft.rfft(tone[4000:12192] * np.hanning(8192)))
    assert spectrum.argmax() * 22050 / 8192 == pytest.approx(220, rel=0.04)


def test_zoom_and_scroll(view):
    page, span = view.page, "editor.to - editor.from"
    before = page.evaluate(span)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(span) == pytest.approx(before / 1.6, rel=0.01)
    page.mouse.move(*place(view, 1.0, 300))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(f"{span} < {before / 1.9}")
    page.get_by_label("Scroll").evaluate("e => { e.value = 1000; e.dispatchEvent(new Event('input')); }")
    assert page.evaluate("editor.to") == pytest.approx(SECONDS, abs=0.03)


def test_every_control_has_a_name_and_takes_the_focus(view):
    page = view.page
    for control in page.locator("button, select, input, canvas").all():
        assert control.get_attribute("aria-label") or control.inner_text(), control.evaluate("e => e.outerHTML")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_it_goes_quietly(view):
    view.page.get_by_role("application").focus()
    view.page.keyboard.press("Space")
    view.page.wait_for_function("editor.player.playing")
    view.page.evaluate("remove()")
    assert view.page.evaluate("editor.player.context.state") == "closed" and view.root.inner_text() == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(widget_page, editor, theme):
    view = opened(widget_page, editor, theme=theme)
    drag(view, place(view, 2.0, 500), place(view, 3.0, 500))
    inked = view.page.evaluate("""() => {
        const canvas = document.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, i) => i % 4 === 3 && value).length / (data.length / 4);
    }""")
    assert inked > 0.3
    view.screenshot(f"pitch_editor-{theme}")
