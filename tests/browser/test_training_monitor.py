"""TrainingMonitor on a page: buttons, figures, curves, sound."""

import time

import numpy as np
import pytest

from svcnb.widgets import TrainingMonitor

from ..widgets.test_training_monitor import RATE, Pretended


class Singing(Pretended):
    """Its clips are tones."""

    def __call__(self):
        for step in super().__call__():
            tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE).astype(np.float32)
            yield step if not step.audio else type(step)(**{**vars(step), "audio": {"ann/0": tone}})


def opened(widget_page, **how):
    monitor = TrainingMonitor(Singing(last=300, seconds=0.002, sings_every=100), RATE)
    return monitor, widget_page(monitor, **how)


def label(view):
    return view.page.locator("canvas").get_attribute("aria-label")


def test_buttons_start_and_stop(widget_page):
    monitor, view = opened(widget_page)
    stop, start = (view.page.get_by_role("button", name=name) for name in ("Stop after", "Start or"))
    assert stop.is_disabled() and start.is_enabled() and label(view) == "no losses yet"
    start.focus()
    view.page.keyboard.press("Enter")
    view.sync()
    while len(monitor.steps) < 20:
        time.sleep(0.01)
    view.sync().page.wait_for_timeout(60)
    assert start.is_disabled() and stop.is_enabled()
    stop.click()
    view.sync()
    monitor.wait()
    view.sync().page.wait_for_timeout(60)
    assert view.messages == [{"do": "start"}, {"do": "stop"}] and len(monitor.steps) < 300
    assert start.is_enabled() and start.inner_text() == "▶ Go on" and stop.is_disabled()
    assert "mel" in label(view) and "Stopped after step" in view.page.get_by_role("status").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_and_sounds(widget_page, theme):
    monitor, view = opened(widget_page, theme=theme)
    monitor.wait()
    view.sync().page.wait_for_timeout(150)
    view.screenshot(f"training_monitor-{theme}")
    text = view.root.inner_text()
    assert "finished · step 300" in text and "steps a second" in text and "learning rate 1.0e-4" in text
    sound = view.page.get_by_role("button", name="Hear ann/0")
    sound.click()
    view.page.wait_for_function("document.querySelector('canvas').monitor.player.playing")
    assert sound.get_attribute("aria-pressed") == "true"
    assert view.page.evaluate("document.querySelector('img').naturalWidth") > 300
