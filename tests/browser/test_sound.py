"""What the players really play, sample by sample: Chromium renders it into memory, where no machine is too busy."""

import numpy as np
import pytest

from svcnb.audio import loudness
from svcnb.f0 import F0
from svcnb.widgets import Compare, PitchEditor

RATE, LEAD = 16000, 800  # Hz; samples of silence before the player begins
RENDER = """async ([rate, seconds, begin, moments]) => {
    const offline = new OfflineAudioContext(1, seconds * rate, rate), places = [];
    const resume = offline.resume.bind(offline);
    offline.resume = async () => {};
    player.context = offline;
    await eval(begin);
    for (const [second, deed] of moments)
        offline.suspend(second).then(() => {
            eval(deed);
            places.push([offline.currentTime, player.seconds]);
            return resume();
        });
    const sound = await offline.startRendering();
    return [Array.from(sound.getChannelData(0)), places];
}"""


def song(seed, seconds=3):
    """Noise that no two moments of which are alike."""
    return 0.2 * np.random.default_rng(seed).uniform(-1, 1, seconds * RATE)


def render(view, widget, seconds, begin, moments=(), rate=RATE):
    """What is heard after `begin`, with deeds at moments; and at each moment its time and the player's place."""
    view.page.evaluate(f"() => {{ window.widget = document.querySelector('canvas').{widget}; }}")
    view.page.evaluate("() => { window.player = widget.player; }")
    sound, places = view.page.evaluate(RENDER, [rate, seconds, begin, list(moments)])
    return np.array(sound), places


def matched(compare):
    """The takes as the page should play them."""
    return [wav * 10 ** (gain / 20) for wav, gain in zip(compare._takes.values(), compare.gains, strict=True)]


def test_switching_between_equal_takes_is_inaudible(widget_page):
    compare = Compare({"one": song(0), "the same": song(0)}, RATE)
    moments = [(0.4 + 0.3 * n, f"widget.switch({(n + 1) % 2})") for n in range(7)]
    heard, _ = render(widget_page(compare), "compare", 2.5, "widget.toggle()", moments)
    assert np.abs(heard[LEAD:] - matched(compare)[0][: len(heard) - LEAD]).max() < 1e-4
    assert np.abs(heard).max() > 0.05


def test_a_switch_goes_on_at_the_same_instant_within_15_ms(widget_page):
    compare = Compare({"one": song(0), "other": 0.3 * song(1), "third": song(2)}, RATE)
    view = widget_page(compare)
    heard, places = render(
        view, "compare", 2, "widget.toggle()", [(1.0, "widget.switch(1)"), (1.5, "widget.switch(2)")]
    )
    one, other, third = (wav[: len(heard) - LEAD] for wav in matched(compare))
    at, heard, fade = RATE - LEAD, heard[LEAD:], 0.015 * RATE + 128  # it begins with the next 128 samples
    assert np.abs(heard[:at] - one[:at]).max() < 1e-4
    after, again = slice(round(at + fade), at + RATE // 2), slice(round(at + RATE // 2 + fade), None)
    assert np.abs(heard[after] - other[after]).max() < 1e-4 and np.abs(heard[again] - third[again]).max() < 1e-4
    for now, place in places:
        assert place == pytest.approx(now - LEAD / RATE, abs=1e-6)


def test_takes_are_equally_loud_and_the_loudest_is_not_clipped(widget_page):
    takes = {
        name: gain * song(seed) for seed, (name, gain) in enumerate({"loud": 4.9, "soft": 0.05, "middle": 1}.items())
    }
    compare, levels = Compare(takes, RATE), []
    for take in range(3):
        begin = f"(widget.switch({take}), widget.toggle())"
        heard, _ = render(widget_page(compare), "compare", 3, begin)
        levels.append(loudness(heard[LEAD:], RATE))
        assert np.abs(heard).max() < 1
    assert max(levels) - min(levels) < 0.1, levels
    assert compare.lufs[0] - compare.lufs[1] > 35


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_x_is_what_python_keeps_and_the_page_does_not_say(widget_page, seed):
    compare = Compare({"ann": song(0), "bob": song(1)}, RATE, seed=seed)
    view = widget_page(compare)
    view.page.get_by_role("button", name="Blind test").click()
    view.sync()
    heard, _ = render(view, "compare", 2, "widget.toggle()")
    named = dict(zip(compare.names, matched(compare), strict=True))
    differences = {name: np.abs(heard[LEAD:] - wav[: len(heard) - LEAD]).max() for name, wav in named.items()}
    assert differences.pop(compare._x) < 1e-4 < 0.05 < min(differences.values())
    page = view.root.evaluate("root => root.outerHTML")
    assert page.count("ann") == page.count("bob") > 0, "it speaks of both alike"


def test_the_playhead_is_where_the_sound_is(widget_page):
    rate, hop = 22000, 250
    wav = np.random.default_rng(0).uniform(-0.2, 0.2, 4 * rate)
    hz = np.full(len(wav) // hop, 220.0)
    view = widget_page(PitchEditor(wav, F0(hz, hz > 0), rate, hop))
    begin = "(widget.place(1), widget.toggle())"
    heard, places = render(view, "editor", 2, begin, [(0.5, ""), (1.5, "")], rate)
    lead = round(0.05 * rate)
    for now, place in places:
        assert place == pytest.approx(1 + now - 0.05, abs=1e-6)
    assert len(places) == 2
    assert np.abs(heard[lead:] - wav[rate:][: len(heard) - lead]).max() < 1e-4
    view.page.evaluate(
        "() => { player.started = 0; player.offset = 2 - player.context.currentTime; widget.refresh(); }"
    )
    view.sync()
    red = view.page.evaluate("""() => {
        const { canvas } = widget, { width, height } = canvas;
        const line = canvas.getContext("2d").getImageData(0, height / 2, width, 1).data;
        return [...Array(width).keys()].filter(x => line[4 * x] - line[4 * x + 2] > 60);
    }""")
    assert np.mean(red) == pytest.approx(view.page.evaluate("widget.x(2)"), abs=1.5)
