"""Recorder by keyboard, with Chromium's own microphone, which hears a beep a second; and with a chosen file."""

import numpy as np
import pytest
import soundfile

from svcnb.audio import load
from svcnb.widgets import Recorder


def test_record_listen_keep_by_keyboard(widget_page, tmp_path):
    view = widget_page(Recorder(tmp_path / "me"), height=300)
    record = view.page.get_by_role("button", name="Record with the microphone")
    keep = view.page.get_by_role("button", name="Keep this recording")
    assert keep.is_disabled()
    record.focus()
    view.page.keyboard.press("Enter")
    view.page.wait_for_function("parseFloat(document.querySelector('[role=timer]').textContent) > 1.5", timeout=20000)
    assert record.get_attribute("aria-pressed") == "true"
    view.page.keyboard.press("Enter")
    assert view.page.get_by_role("status").inner_text() == "Listen to it; then keep it, or record again."
    assert view.page.evaluate("document.querySelector('audio').src").startswith("blob:")
    view.page.keyboard.press("Tab")
    view.page.keyboard.press("Enter")
    view.page.wait_for_function("outbox.length && outbox.at(-1).content.part === outbox.at(-1).content.of - 1")
    view.sync()
    wav, rate = load(tmp_path / "me/take.wav")
    assert rate >= 44100 and len(wav) > 1.5 * rate and np.abs(wav).max() > 0.05, "beeps are heard"
    assert "take.wav" in view.page.get_by_text("Kept:").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_file_comes_whole(widget_page, tmp_path, theme):
    noise = 0.3 * np.random.default_rng(0).uniform(-1, 1, 250_000)
    soundfile.write(tmp_path / "my song.wav", noise, 44100)
    view = widget_page(Recorder(tmp_path / "me"), theme=theme, height=300)
    view.page.get_by_label("Choose sound files").set_input_files(tmp_path / "my song.wav")
    view.page.wait_for_function("outbox.length === 3")
    view.sync().screenshot(f"recorder-{theme}")
    assert (tmp_path / "me/my song.wav").read_bytes() == (tmp_path / "my song.wav").read_bytes()
    assert view.page.get_by_role("status").inner_text() == "Kept as my song.wav: 5.7 s."


def test_without_a_microphone_it_says_what_to_do(widget_page, tmp_path):
    view = widget_page(Recorder(tmp_path / "me"))
    view.page.evaluate("void (navigator.mediaDevices.getUserMedia = () => Promise.reject(Error('no')))")
    view.page.get_by_role("button", name="Record with the microphone").click()
    view.page.get_by_text("There is no microphone for this page").wait_for()
    assert view.sync().messages == []
