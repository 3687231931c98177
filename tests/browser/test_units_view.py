"""UnitsView by mouse and keyboard: the point under the pointer is chosen, and its moment is heard."""

import numpy as np
import pytest

from svcnb.widgets import UnitsView

RATE = 16000


@pytest.fixture
def units_view():
    rng = np.random.default_rng(0)
    units = np.concatenate([rng.normal(6 * k, 0.5, (25, 6)) for k in range(8)])
    wav = 0.3 * np.sin(2 * np.pi * 300 * np.arange(4 * RATE) / RATE)
    return UnitsView(units, wav, RATE, [f"group {k // 25}" for k in range(200)])


def opened(widget_page, widget, **how):
    view = widget_page(widget, height=600, **how)
    view.page.evaluate("window.units = document.querySelector('canvas').units")
    return view


def test_the_point_under_the_pointer_is_chosen_and_heard(widget_page, units_view):
    view = opened(widget_page, units_view)
    box = view.page.locator("canvas").first.bounding_box()
    x, y = view.page.evaluate("units.place(40)")
    view.page.mouse.move(box["x"] + x, box["y"] + y)
    view.sync()
    assert view.messages == [{"do": "choose", "frame": 40}] and units_view.chosen == 40
    assert view.page.get_by_role("status").inner_text() == "group 1, 0.81 s"
    assert view.page.evaluate("units.heard") is None, "silent until somebody clicks"
    view.page.mouse.click(box["x"] + x, box["y"] + y)
    view.page.wait_for_function("units.heard === 1")
    view.page.mouse.move(box["x"] + x, box["y"] + 2000)
    assert view.sync().messages[-1] == {"do": "choose", "frame": 40}, "nothing is near"


def test_keys_go_through_time_and_through_a_group(widget_page, units_view):
    view = opened(widget_page, units_view)
    view.page.locator("canvas").first.focus()
    for key, frame in (("ArrowRight", 0), ("ArrowRight", 1), ("ArrowDown", 0), ("ArrowDown", 24), ("ArrowUp", 0)):
        view.page.keyboard.press(key)
        view.page.wait_for_function("outbox.length")  # the first key opens the sound before it is answered
        assert view.sync().widget.chosen == frame, key
    heard = view.page.evaluate("units.heard")
    view.page.keyboard.press("Space")
    view.page.wait_for_function(f"units.heard > {heard}")
    assert view.page.locator("canvas").first.get_attribute("aria-valuetext").startswith("group 0")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_group_has_a_look_of_its_own(widget_page, units_view, theme):
    view = opened(widget_page, units_view, theme=theme)
    units_view.choose(110)
    view.sync().screenshot(f"units_view-{theme}")
    samples = view.page.evaluate("[...document.querySelectorAll('.svcnb-bar canvas')].map(c => c.toDataURL())")
    assert len(samples) == 8 == len(set(samples))
