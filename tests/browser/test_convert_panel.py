"""ConvertPanel by mouse and keyboard, with a converter that only pretends."""

import pytest

from svcnb.options import KNOWN
from svcnb.widgets import ConvertPanel

from ..widgets.test_convert_panel import RATE, Pretended, song


@pytest.fixture
def panel():
    converter = Pretended()
    converter.diffusion = object()
    return ConvertPanel(converter, song(), RATE, speaker="bob", semitones=4)


@pytest.fixture
def view(widget_page, panel):
    return opened(widget_page, panel)


def opened(widget_page, panel, **how):
    view = widget_page(panel, height=900, **how)
    view.page.evaluate("window.panel = document.querySelector('canvas').panel")
    return view


def test_every_option_has_a_control_that_explains_itself(view):
    view.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    for name, known in KNOWN.items():
        control = view.page.get_by_label(name, exact=True)
        assert known["meaning"] in control.evaluate(
            "e => document.getElementById(e.getAttribute('aria-describedby')).innerText"
        )
    for control in view.page.locator("button, select, input, canvas").all():
        assert control.evaluate("e => e.labels?.length || e.getAttribute('aria-label')"), control.evaluate(
            "e => e.outerHTML"
        )
    assert view.page.get_by_label("retrieval_ratio", exact=True).is_disabled()
    assert "Enhancer (no enhancer is loaded)" in view.root.inner_text()


def test_controls_set_options(view, panel):
    page = view.page
    page.get_by_label("semitones", exact=True).fill("7")
    page.get_by_label("noise_scale, slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("auto_f0", exact=True).check()
    page.get_by_label("f0_predictor", exact=True).select_option("pm")
    page.get_by_label("Who sings").select_option("ann")
    view.sync()
    assert panel.options == {"semitones": 7, "noise_scale": 0.45, "auto_f0": True, "f0_predictor": "pm"}
    assert panel.speaker == "ann" and page.get_by_label("noise_scale", exact=True).input_value() == "0.45"
    page.get_by_role("button", name="As usual: set all").click()
    view.sync()
    assert panel.options == {} and page.get_by_role("button", name="As usual: set all").is_disabled()
    assert page.get_by_label("semitones", exact=True).input_value() == "0"


def test_what_may_be_left_open(view, panel):
    page = view.page
    page.get_by_text("Diffusion", exact=True).click()
    steps = page.get_by_label("k_step", exact=True)
    assert steps.is_disabled() and steps.input_value() == "100"
    page.get_by_label("k_step as usual").uncheck()
    page.get_by_label("sampler", exact=True).select_option("ddim")
    view.sync()
    assert panel.options == {"semitones": 4, "k_step": 100, "sampler": "ddim"} and steps.is_enabled()
    page.get_by_label("sampler", exact=True).select_option("as usual")
    page.get_by_label("k_step as usual").check()
    assert view.sync().widget.options == {"semitones": 4} and steps.is_disabled()


def test_what_python_refuses_goes_back(view, panel):
    field = view.page.get_by_label("noise_scale", exact=True)
    for wrong in ("-3", "-4"):
        field.fill(wrong)
        field.blur()
        view.sync()
        assert field.input_value() == "0.4" and "at least" in view.page.get_by_role("status").inner_text()


def test_hear_switch_and_stop(view, panel):
    page, hear = view.page, view.page.get_by_role("button", name="Convert and hear 5 seconds")
    panel.move(5)
    view.sync()
    hear.focus()
    page.keyboard.press("Enter")
    view.sync()
    page.wait_for_function("panel.player.playing && panel.player.seconds > 0.1")
    assert page.evaluate("panel.hearing.matches(':focus')"), "though it could not be pressed for a while"
    assert panel._converter.asked == [(5, "bob", {"semitones": 4})]
    assert view.peak("panel.player", 1, 1) == pytest.approx(0.2, abs=0.03)
    page.get_by_role("button", name="Hear the original").click()
    page.wait_for_function("panel.player.gains[0].gain.value > 0.999 && panel.player.gains[1].gain.value < 0.001")
    page.get_by_role("button", name="Stop").press("Enter")
    page.wait_for_function("!panel.player.playing")
    hear.click()  # nothing has changed: it plays at once
    page.wait_for_function("panel.player.playing")
    assert len(view.sync().widget._converter.asked) == 1


def test_the_piece_is_moved(view, panel):
    page, strip = view.page, view.page.locator("canvas")
    box = strip.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + 20)
    view.sync()
    assert panel.start == pytest.approx(0.5, abs=0.05)
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.up()
    assert view.sync().widget.start == pytest.approx(2.5, abs=0.05)
    strip.focus()
    for key, start in (("ArrowRight", 3.5), ("PageUp", 5), ("Home", 0), ("End", 5)):
        page.keyboard.press(key)
        assert view.sync().widget.start == pytest.approx(start, abs=0.05), key
    assert strip.get_attribute("aria-valuetext") == "5.0 to 10.0 s"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(widget_page, panel, theme):
    view = opened(widget_page, panel, theme=theme)
    panel.hear()
    view.sync().page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    view.sync().screenshot(f"convert_panel-{theme}")
    assert not view.page.evaluate("panel.player.playing"), "Python's own hearing is silent on the page"
