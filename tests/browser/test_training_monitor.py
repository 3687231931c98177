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
            tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(5 * RATE) / RATE).astype(np.float32)
            yield step if not step.audio else type(step)(**{**vars(step), "audio": {"ann/0": tone}})


def opened(widget_page, theme="light", **training):
    monitor = TrainingMonitor(Singing(**training), RATE)
    return monitor, widget_page(monitor, theme=theme)


def label(view):
    return view.page.locator("canvas").get_attribute("aria-label")


def test_buttons_start_and_stop(widget_page):
    monitor, view = opened(widget_page, last=10**6, sings_every=10**6)  # it does not end by itself
    stop, start = (view.page.get_by_role("button", name=name) for name in ("Stop after", "Start or"))
    assert stop.is_disabled() and start.is_enabled() and label(view) == "no losses yet"
    start.focus()
    view.page.keyboard.press("Enter")
    view.sync()
    while monitor.running and len(monitor.steps) < 20:
        time.sleep(0.01)
    view.sync()
    assert start.is_disabled() and stop.is_enabled()
    stop.click()
    view.sync()
    monitor.wait()
    view.sync()
    assert view.messages == [{"do": "start"}, {"do": "stop"}]
    assert start.is_enabled() and start.inner_text() == "▶ Go on" and stop.is_disabled()
    assert "mel" in label(view) and "Stopped after step" in view.page.get_by_role("status").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_and_sounds(widget_page, theme):
    monitor, view = opened(widget_page, theme, last=300, seconds=0.002, sings_every=100)
    monitor.wait()
    view.sync()
    view.screenshot(f"training_monitor-{theme}")
    text = view.root.inner_text()
    assert "finished · step 300" in text and "steps a second" in text and "learning rate 1.0e-4" in text
    inked = view.page.evaluate("""() => {
        const canvas = document.querySelector("figure canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, i) => i % 4 === 3 && value > 100).length / (data.length / 4);
    }""")
    assert 0.01 < inked < 0.9 and view.page.get_by_label("Spectrogram of ann/0 as sung after step 300").is_visible()
    sound = view.page.get_by_role("button", name="ann/0, step 300")
    sound.click()
    view.page.wait_for_function(
        "name => document.querySelector('canvas').monitor.player.playing && document.querySelector(name)",
        arg="figure button[aria-pressed=true]",
    )
