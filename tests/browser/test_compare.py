"""Compare by mouse and keyboard: switching is one clock and a fade; the blind test's answer never leaves Python."""

import numpy as np
import pytest

from svcnb.widgets import Compare

RATE, SECONDS = 16000, 8


@pytest.fixture
def compare():
    second = np.arange(SECONDS * RATE) / RATE
    takes = {
        "source": 0.5 * np.sin(2 * np.pi * 220 * second),
        "clara": 0.1 * np.sin(2 * np.pi * 440 * second * (1 + 0.03 * second)),
        "mina": 0.2 * np.sign(np.sin(2 * np.pi * 330 * second)),
    }
    return Compare(takes, RATE, seed=1)


@pytest.fixture
def view(widget_page, compare):
    return opened(widget_page, compare)


def opened(widget_page, compare, **how):
    view = widget_page(compare, **how)
    view.page.evaluate("window.takes = document.querySelector('canvas').compare")
    return view


def only(view, take):
    """Wait until one take alone is heard."""
    view.page.wait_for_function(
        "take => takes.player.gains.every((node, i) => Math.abs(node.gain.value - (i === take)) < 1e-3)", arg=take
    )


def play(view):
    view.page.get_by_role("button", name="Play").click()
    view.page.wait_for_function("takes.player.playing && takes.player.seconds > 0.1")


def test_switching_keeps_the_clock_running(view):
    play(view)
    view.page.evaluate("window.nodes = takes.player.nodes; window.began = takes.player.started")
    only(view, 0)
    view.page.keyboard.press("2")
    only(view, 1)
    view.page.get_by_role("button", name="3 · mina").click()
    only(view, 2)
    assert view.page.evaluate("nodes === takes.player.nodes && began === takes.player.started")
    assert "LUFS" in view.page.get_by_role("status").inner_text()
    assert view.page.get_by_role("button", name="3 · mina").get_attribute("aria-pressed") == "true"


def test_clicking_a_picture_hears_that_take_there(view):
    box = view.page.locator("canvas").bounding_box()
    view.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 130)
    view.sync()
    assert view.page.evaluate("[takes.active, takes.cursor]") == [1, pytest.approx(SECONDS / 2, abs=0.05)]


def test_keys(view):
    view.page.locator("canvas").focus()
    view.page.keyboard.press("ArrowRight")
    assert view.page.locator("canvas").get_attribute("aria-valuetext") == "1.0 s"
    view.page.keyboard.press("Space")
    view.page.wait_for_function("takes.player.playing && takes.place > 1.05")
    view.page.keyboard.press("Space")
    view.page.wait_for_function("!takes.player.playing")
    assert 1 < float(view.page.locator("canvas").get_attribute("aria-valuenow")) <= SECONDS
    view.page.keyboard.press("9")  # there are three
    assert view.page.evaluate("takes.active") == 0


def test_it_stops_at_the_end(view):
    view.page.evaluate("takes.seek(7.7)")
    view.page.evaluate("""() => {
        const { player } = takes, { tell } = player, told = [];  // looking from here might come too late
        window.over = new Promise(done => {
            player.tell = () => { tell(); told.push(player.playing); if (told.length === 2) done(told); };
        });
    }""")
    play_button = view.page.get_by_role("button", name="Play")
    play_button.click()
    assert view.page.evaluate("over") == [True, False]
    assert play_button.is_visible() and view.page.evaluate("takes.cursor") == 0


def test_a_blind_test(view, compare):
    page = view.page
    page.get_by_role("button", name="Blind test").click()
    view.sync()
    assert "Trial 1" in page.get_by_role("status").inner_text()
    assert page.evaluate("takes.takes") == ["A", "B", "X"] and page.evaluate("takes.active") == 2
    assert page.evaluate("takes.images.length") and page.locator("canvas").bounding_box()["height"] < 130  # no pictures
    play(view)
    page.keyboard.press("1")
    for number in range(1, 5):
        truth = compare._x
        page.get_by_role("button", name=f"{truth} is X").click()
        view.sync()
        page.wait_for_function(f"takes.trial.number === {number + 1}")
        assert truth in view.messages[-1]["name"]
    page.get_by_role("button", name="End").click()
    view.sync()
    assert "4 of 4 right" in page.get_by_role("status").inner_text() and compare.score.p == 1 / 16
    assert page.evaluate("takes.takes") == ["source", "clara", "mina"]


def test_the_page_is_not_told_the_answer(view, compare):
    view.page.get_by_role("button", name="Blind test").click()
    view.sync()
    assert set(view.page.evaluate("Object.keys(model.get('trial'))")) == {"number", "a", "b", "x"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(widget_page, compare, theme):
    view = opened(widget_page, compare, theme=theme)
    view.page.keyboard.press("Tab")
    view.page.keyboard.press("2")
    view.sync()
    view.screenshot(f"compare-{theme}")
    assert view.page.locator("canvas").bounding_box()["height"] > 250
    view.page.get_by_role("button", name="Blind test").click()
    view.sync()
    view.screenshot(f"compare-blind-{theme}")


def test_a_blind_test_by_keyboard_alone(view, compare):
    page = view.page
    page.get_by_role("button", name="Blind test").focus()
    focused = "document.activeElement.textContent"
    page.keyboard.press("Enter")
    view.sync()
    assert page.evaluate(focused) == "A · source"
    page.keyboard.press("Tab")
    page.keyboard.press("1")  # to hear, from wherever the focus is
    assert page.evaluate("takes.active") == 0
    for trial in (2, 3):
        page.keyboard.press("Enter")
        view.sync()
        assert compare.trial["number"] == trial and page.evaluate(focused) == "B · clara"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    view.sync()
    assert not compare.trial and page.evaluate(focused) == "Blind test"


def test_an_answered_x_is_not_heard_in_the_next_trial(view, compare):
    page = view.page
    page.get_by_role("button", name="Blind test").click()
    view.sync()
    page.evaluate("""() => {  // the sounds take their time, and the listener does not
        const { load } = takes.player, asked = window.asked = [];
        takes.player.load = async (views) => {
            asked.push(takes.trial.number);
            if (asked.length === 1) await new Promise(done => { window.loaded = done; });
            return load.call(takes.player, views);
        };
    }""")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="source is X").click()
    view.sync()
    page.evaluate("loaded()")
    page.wait_for_function("takes.player.playing")
    assert page.evaluate("asked") == [1, 2]
