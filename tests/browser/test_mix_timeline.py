"""MixTimeline by mouse and keyboard."""

import pytest

from svcnb.widgets import MixTimeline


@pytest.fixture
def mixer():
    return MixTimeline(["bruno", "clara", "emil"], 10.0, silences=[(4.0, 5.0)])


@pytest.fixture
def view(widget_page, mixer):
    return opened(widget_page, mixer)


def opened(widget_page, mixer, **how):
    view = widget_page(mixer, **how)
    view.page.evaluate("window.mixer = document.querySelector('canvas').mixer")
    return view


def place(view, second, share):
    box = view.page.locator("canvas").bounding_box()
    x, y = view.page.evaluate("([s, share]) => [mixer.x(s), mixer.y(share)]", [second, share])
    return box["x"] + x, box["y"] + y


def drag(view, start, stop):
    view.page.mouse.move(*start)
    view.page.mouse.down()
    view.page.mouse.move(*stop, steps=6)
    view.page.mouse.up()
    view.sync()


def test_dragging_borders(view, mixer):
    drag(view, place(view, 10, 1), place(view, 10, 0.4))  # two borders lie there; the lower one can go down
    assert mixer.points[1][1] == pytest.approx([0.4, 0.6, 0], abs=0.02)
    drag(view, place(view, 10, 1), place(view, 10, 0.7))
    assert mixer.points[1][1] == pytest.approx([0.4, 0.3, 0.3], abs=0.02)
    assert view.state("points") == mixer.points
    assert view.page.get_by_label("Share of emil").input_value() == f"{100 * mixer.points[1][1][2]:.1f}".removesuffix(
        ".0"
    )


def test_dragging_between_two_areas_lets_nobody_else_in(view, mixer):
    mixer.share(1, 2, 0.4)
    view.sync()
    for height in (0.3, 0.8):
        drag(view, place(view, 10, mixer.points[1][1][0]), place(view, 10, height))
        assert mixer.points[1][1] == pytest.approx([height, 0, 1 - height], abs=0.02)
        assert view.state("points") == mixer.points


def test_adding_and_moving_points(view, mixer):
    view.page.mouse.dblclick(*place(view, 3, 0.5))
    view.sync()
    assert mixer.points[1][0] == pytest.approx(3, abs=0.02)
    drag(view, place(view, 3, 0.5), place(view, 6, 0.5))
    assert mixer.points[1][0] == pytest.approx(6, abs=0.03)
    view.page.get_by_label("snap to silence").check()
    drag(view, place(view, 6, 0.5), place(view, 4.2, 0.5))
    assert 4 <= mixer.points[1][0] <= 5
    drag(view, place(view, mixer.points[1][0], 0.5), place(view, 5.1, 0.5))
    assert mixer.points[1][0] == pytest.approx(5.1, abs=0.03)  # too far for the silence


def test_everything_by_keyboard(view, mixer):
    page = view.page
    page.get_by_role("application").focus()
    page.keyboard.press("Insert")
    view.sync()
    assert mixer.points[1][0] == 5 and "point 2 of 3" in view.root.inner_text()
    page.keyboard.press("Alt+ArrowLeft")
    view.sync()
    assert mixer.points[1][0] == pytest.approx(4.9)
    page.keyboard.press("2")
    for _ in range(3):
        page.keyboard.press("ArrowUp")
        view.sync()
    assert mixer.points[1][1] == pytest.approx([0.85, 0.15, 0])
    assert "clara 15%" in page.get_by_role("status").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Point 3 of 3 at 10.00 s" in page.get_by_role("status").inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")
    view.sync()
    assert len(mixer.points) == 2
    page.keyboard.press("Control+z")
    view.sync()
    assert len(mixer.points) == 3
    page.keyboard.press("Control+Shift+z")
    view.sync()
    assert len(mixer.points) == 2


def test_numbers_can_be_typed(view, mixer):
    view.page.get_by_label("Share of emil").fill("25")
    view.page.keyboard.press("Enter")
    view.sync()
    assert mixer.points[0][1] == pytest.approx([0.75, 0, 0.25])
    view.page.get_by_role("button", name="Next point").click()
    view.page.get_by_label("Time of the point").fill("7.5")
    view.page.keyboard.press("Tab")
    view.sync()
    assert mixer.points[1][0] == 7.5


def test_a_point_can_not_be_dragged_past_another(view, mixer):
    mixer.add(5)
    view.sync()
    drag(view, place(view, 5, 0.5), place(view, 12, 0.5))
    assert mixer.points[1][0] == 10 == mixer.points[2][0]


def test_every_control_has_a_name(view):
    for control in view.page.locator("button, input:not([type=checkbox]), canvas").all():
        assert control.get_attribute("aria-label"), control.evaluate("e => e.outerHTML")
    view.page.evaluate("remove()")
    assert view.root.inner_text() == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(widget_page, mixer, theme):
    mixer.share(1, 1, 0.7)
    mixer.share(1, 2, 0.2)
    mixer.add(4.5)
    mixer.border(1, 0, 0.5)
    mixer.border(1, 1, 0.6)
    view = opened(widget_page, mixer, theme=theme)
    view.screenshot(f"mix_timeline-{theme}")
    assert view.page.locator("canvas").bounding_box()["height"] == 240
