"""All widgets for everybody: names, focus, contrast in both themes, a phone's width, twice the size, one voice."""

import numpy as np
import pytest

from svcnb.f0 import F0
from svcnb.widgets import Compare, ConvertPanel, MixTimeline, PitchEditor, Recorder, TrainingMonitor, UnitsView

from ..widgets import test_convert_panel, test_training_monitor

RATE = 16000
PLAIN = 4.5  # least contrast of text: WCAG 2.2, AA
CONTRAST = """() => {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        probe.clearRect(0, 0, 1, 1);
        probe.fillStyle = colour;
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], ground) => [r, g, b].map((part, i) => a * part + (1 - a) * ground[i]);
    const light = (colour) => colour.map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const measured = [], texts = document.createTreeWalker(document.getElementById("root"), NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode()); ) {
        const own = text.parentElement;
        const idle = own.closest("[aria-disabled=true], :disabled") || !own.checkVisibility();
        if (idle || !text.textContent.trim()) continue;
        const line = [];
        for (let part = own; part; part = part.parentElement) line.unshift(part);
        let ground = [255, 255, 255], opacity = 1;
        for (const part of line) {
            const style = getComputedStyle(part);
            opacity *= +style.opacity;
            ground = over(rgba(style.backgroundColor), ground);
        }
        const [r, g, b, a] = rgba(getComputedStyle(own).color), ink = over([r, g, b, a * opacity], ground);
        const [dark, bright] = [light(ink), light(ground)].sort((one, other) => one - other);
        measured.push([(bright + 0.05) / (dark + 0.05), text.textContent.trim()]);
    }
    return measured;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, select, input, canvas, audio, meter")].filter((control) =>
    control.checkVisibility() && !control.closest("[aria-hidden=true]")
    && !(control.getAttribute("aria-label") || control.labels?.length || control.innerText.trim()))
    .map((control) => control.outerHTML)"""
UNSAID = """() => [...document.querySelectorAll("button[aria-label]")].filter((button) => {
    const words = button.innerText.replace(/[^\\p{L}\\p{N} ]/gu, "").trim().toLowerCase();
    return !button.getAttribute("aria-label").replace(/[^\\p{L}\\p{N} ]/gu, "").toLowerCase().includes(words);
}).map((button) => button.outerHTML)"""  # who speaks to the machine says what is written there
BEYOND = """() => [...document.querySelectorAll('#root, #root *')]
    .filter(part => part.checkVisibility() && part.getBoundingClientRect().right > innerWidth + 1)
    .map(part => part.outerHTML.slice(0, 120))"""


def pitch_editor(_):
    hz = np.full(250, 220.0)
    return PitchEditor(0.1 * np.sin(np.arange(250 * 512) / 30), F0(hz, hz > 0))


def compare(_):
    rng = np.random.default_rng(0)
    return Compare({f"take {n} of a singer": 0.1 * rng.normal(size=2 * RATE) for n in range(3)}, RATE)


def blind(_):
    widget = compare(_)
    widget.begin("take 0 of a singer", "take 2 of a singer")
    return widget


def monitor(_):
    widget = TrainingMonitor(test_training_monitor.Pretended(), test_training_monitor.RATE)
    widget.wait()
    return widget


def units(_):
    rng = np.random.default_rng(0)
    return UnitsView(rng.normal(size=(90, 4)), 0.1 * rng.normal(size=RATE), RATE, [f"kind {n // 6}" for n in range(90)])


WIDGETS = {
    "pitch_editor": pitch_editor,
    "mix_timeline": lambda _: MixTimeline(["bruno", "clara", "emil"], 10.0, silences=[(4.0, 5.0)]),
    "compare": compare,
    "blind": blind,
    "training_monitor": monitor,
    "convert_panel": lambda _: ConvertPanel(test_convert_panel.Pretended(), test_convert_panel.song(), RATE),
    "units_view": units,
    "recorder": Recorder,
}


@pytest.fixture(params=WIDGETS)
def widget(request, tmp_path):
    return WIDGETS[request.param](tmp_path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_and_contrast(widget_page, widget, theme):
    view = widget_page(widget, theme=theme)
    view.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    measured = view.page.evaluate(CONTRAST)
    assert measured and min(measured)[0] >= PLAIN, min(measured)
    assert not view.page.evaluate(NAMELESS) and not view.page.evaluate(UNSAID)


def test_a_narrow_page_is_not_scrolled_sideways(widget_page, widget):
    """A narrow column has 480 pixels; a phone, or a window of 640 at twice the size, 320."""
    view = widget_page(widget)
    view.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    for width in (480, 320):
        view.page.set_viewport_size({"width": width, "height": 700})
        view.sync()
        view.screenshot(f"{type(widget).__name__}-{width}")
        assert not view.page.evaluate(BEYOND)
    for canvas in view.page.locator("canvas").all():  # a finger scrolls the page where nothing is dragged up or down
        wanted = "none" if canvas.get_attribute("role") == "application" else "pan-y"
        assert canvas.evaluate("canvas => getComputedStyle(canvas).touchAction") == wanted


def test_tab_goes_to_every_control_and_is_seen(widget_page, widget):
    view, seen = widget_page(widget), []
    count = view.page.evaluate("""() => {
        const controls = [...document.querySelectorAll("button, select, input, canvas[tabindex], audio, summary")];
        return controls.filter(control => control.checkVisibility() && !control.disabled).length;
    }""")
    for _ in range(count):
        view.page.keyboard.press("Tab")
        seen.append(
            view.page.evaluate("""() => {
            const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
            return [document.activeElement.outerHTML, outlineStyle, parseFloat(outlineWidth)];
        }""")
        )
    assert len({html for html, _, _ in seen}) == count
    assert all(style != "none" and width >= 1 for _, style, width in seen), seen


def finger(view, *places):
    """A finger goes down at the first place, over the others, and up at the last."""
    touch = view.page.context.new_cdp_session(view.page)
    for kind, points in (
        ("touchStart", places[:1]),
        *(("touchMove", [place]) for place in places[1:]),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})
    view.sync()


def spot(view, of, place):
    """Where on the page something is that the widget `of` names: [x, y] on its canvas."""
    box = view.page.locator("canvas").first.bounding_box()
    x, y = view.page.evaluate(f"() => {{ const it = document.querySelector('canvas').{of}; return {place}; }}")
    return box["x"] + x, box["y"] + y


def test_a_finger_drags_the_curve(widget_page):
    view = widget_page(pitch_editor(None), width=480)
    x, y = spot(view, "editor", "[it.x(1), it.y(220)]")
    higher = spot(view, "editor", "[it.x(1), it.y(220 * 2 ** (3 / 12))]")[1]
    finger(view, (x, y + 15), (x, (y + higher) / 2), (x, higher + 15))  # 15 pixels beside it
    assert view.widget.f0.hz == pytest.approx(220 * 2 ** (3 / 12), rel=0.01)


def test_a_finger_drags_a_border(widget_page):
    view = widget_page(MixTimeline(["bruno", "clara"], 10.0), width=480)
    (x, top), (_, low) = spot(view, "mixer", "[it.x(10), it.y(1)]"), spot(view, "mixer", "[it.x(10), it.y(0.4)]")
    finger(view, (x, top + 12), (x, (top + low) / 2), (x, low))
    assert view.widget.points[1][1] == pytest.approx([0.4, 0.6], abs=0.03)


def test_a_finger_chooses_places_and_hears(widget_page):
    view = widget_page(units(None), width=480)
    finger(view, spot(view, "units", "it.place(40)"))
    view.page.wait_for_function("document.querySelector('canvas').units.heard === 1")
    assert view.widget.chosen == 40
    view = widget_page(compare(None), width=480)
    box = view.page.locator("canvas").bounding_box()
    finger(view, (box["x"] + box["width"] / 2, box["y"] + 130))
    view.page.wait_for_function("document.querySelector('canvas').compare.active === 1")
    view = widget_page(WIDGETS["convert_panel"](None), width=480)
    box = view.page.locator("canvas").bounding_box()
    finger(view, *[(box["x"] + box["width"] * share, box["y"] + 20) for share in (0.7, 0.5, 0.3)])
    assert view.widget.start == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ["pitch_editor", "mix_timeline"])
def test_a_change_is_said_once_and_the_same_change_again(widget_page, name):
    view = widget_page(WIDGETS[name](None))
    view.page.evaluate("""() => {
        window.said = [];
        const hear = () => said.push(document.querySelector("[role=status]").textContent);
        new MutationObserver(changes => changes.filter(change => change.addedNodes.length).forEach(hear))
            .observe(document.querySelector("[role=status]"), { childList: true });
    }""")
    view.page.get_by_role("application").focus()
    for key, times in (("ArrowDown", 2), ("ArrowUp", 1), ("Control+z", 3)):
        for _ in range(times):
            view.page.keyboard.press(key)
            view.sync()
    assert len(view.page.evaluate("said")) == 6, view.page.evaluate("said")
