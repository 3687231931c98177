import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from svcnb import plots
from svcnb.f0 import F0
from svcnb.slicer import Chunk

RATE = 22050


def tone(hz=220.0, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def curve(hz=220.0, frames=43):
    return F0(np.where(np.arange(frames) < 10, 0, hz), np.arange(frames) >= 10)


def drawn(figure):
    """Its bytes as a picture; any warning on the way fails the test."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=40)
    return picture.getvalue()


def step(number, **losses):
    return SimpleNamespace(step=number, losses=losses)


@pytest.mark.filterwarnings("error")
def test_a_waveform_keeps_its_peaks_and_shows_the_chunks():
    wav = tone(seconds=20)
    wav[1234] = 0.9
    chunks = [Chunk(0, RATE, True), Chunk(RATE, 5 * RATE, False), Chunk(5 * RATE, 20 * RATE, True)]
    figure = plots.waveform(wav, RATE, chunks, "title")
    (axes,) = figure.axes
    (shape,) = axes.collections
    assert shape.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.9)
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["silence"]
    assert axes.get_xlim() == (0, 20) and axes.get_xlabel() == "time in s"
    assert drawn(plots.waveform(wav, RATE, chunks)) != drawn(plots.waveform(wav, RATE))


@pytest.mark.filterwarnings("error")
def test_a_spectrogram_is_brightest_where_the_tone_is():
    figure = plots.spectrogram(tone(1000), RATE, curve(1000), title="title")
    axes = figure.axes[0]
    mesh = axes.collections[0]
    rows = mesh.get_coordinates()[:, 0, 1]
    loudest = mesh.get_array()[:, mesh.get_array().shape[1] // 2].argmax()
    assert rows[loudest] < 1010 and rows[loudest + 1] > 990
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] == 50
    (line,) = axes.lines
    assert np.isnan(line.get_ydata()[:10]).all() and np.all(line.get_ydata()[10:] == 1000)
    assert line.get_xdata()[-1] == pytest.approx(42 * 512 / RATE)
    assert drawn(figure)


@pytest.mark.filterwarnings("error")
def test_pitch_curves_differ_by_more_than_colour_and_name_their_notes():
    figure = plots.f0_curves({"a": curve(), "b": curve(233.1)}, sample_rate=RATE, wav=tone())
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert (
        len({line.get_linestyle() for line in axes.lines}) == 2 and len({line.get_color() for line in axes.lines}) == 2
    )
    drawn(figure)
    assert "A3 220" in [label.get_text() for label in axes.get_yticklabels()]
    low, high = axes.get_ylim()
    assert low < 220 and high > 233.1


@pytest.mark.filterwarnings("error")
def test_a_conversion_has_a_panel_for_each_take_on_one_scale():
    two = plots.conversion(tone(), tone(440), sample_rate=RATE)
    three = plots.conversion(tone(), tone(440), tone(500), sample_rate=RATE, title="title")
    assert [len(figure.axes) for figure in (two, three)] == [3, 4]  # and the colour bar
    assert [axes.texts[0].get_text() for axes in three.axes[:3]] == ["source", "converted", "target"]
    assert {axes.images[0].get_clim() for axes in three.axes[:3]} == {(-plots.RANGE_DB, 0)}
    rows = [axes.images[0].get_array()[:, 20].argmax() for axes in three.axes[:3]]
    assert rows[0] < rows[1] <= rows[2]
    assert drawn(three)


def test_levels_are_highest_where_the_tone_is():
    level, hop = plots.levels(tone(440, seconds=2), RATE, np.array([110.0, 440, 1760]), columns=50)
    assert level.shape[0] == 3 and (level.argmax(0)[3:-3] == 1).all() and -3 < level.max() <= 0
    assert level.shape[1] * hop == pytest.approx(2 * RATE, abs=2 * hop) and level.shape[1] < 55


def test_a_mix_is_stacked_to_the_top():
    timeline = SimpleNamespace(weights=lambda frames: np.tile([0.25, 0.75], (frames, 1)).astype(np.float32))
    (axes,) = plots.mix(timeline, ["anna", "ben"], 8.0, silences=[(2, 3)]).axes
    lower, upper = (area.get_paths()[0].vertices[:, 1] for area in axes.collections[:2])
    assert lower.max() == 25 and (upper.min(), upper.max()) == (25, 100) and axes.get_xlim() == (0, 8)
    assert axes.collections[0].get_hatch() != axes.collections[1].get_hatch()


@pytest.mark.filterwarnings("error")
def test_each_loss_has_a_panel_from_where_it_begins():
    steps = [step(i, mel=100 / i) if i < 30 else step(i, mel=100 / i, adversarial=2.0) for i in range(1, 61)]
    figure = plots.losses(steps, "title")
    assert [axes.get_title() for axes in figure.axes] == ["mel", "adversarial"]
    assert [len(axes.lines[0].get_xdata()) for axes in figure.axes] == [60, 31]
    assert np.allclose(figure.axes[1].lines[1].get_ydata(), 2)
    assert drawn(figure)


@pytest.mark.filterwarnings("error")
def test_a_loss_that_was_not_finite_does_not_spoil_the_curve():
    steps = [step(i, mel=np.nan if i == 20 else 1.0) for i in range(40)]
    figure = plots.losses(steps)
    assert np.allclose(figure.axes[0].lines[1].get_ydata(), 1) and drawn(figure)


@pytest.mark.filterwarnings("error")
def test_the_data_report_shows_minutes_and_notes_of_each_speaker(tmp_path):
    speakers = {}
    for name, minutes, hz in [("low", 2.0, 110.0), ("high", 0.5, 440.0)]:
        f0 = np.full(100, hz, np.float32) * np.linspace(0.97, 1.03, 100, dtype=np.float32)
        uv = (np.arange(100) > 20).astype(np.float32)
        f0[:20] = 30  # unvoiced, and not to be counted
        save_file({"f0": f0, "uv": uv}, tmp_path / f"{name}.features.safetensors")
        speakers[name] = SimpleNamespace(minutes=minutes, clips=[f"{name}.wav"])
    figure = plots.data_report(SimpleNamespace(speakers=speakers), tmp_path)
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [2.0, 0.5]
    assert [label.get_text() for label in left.get_yticklabels()] == ["low", "high"]
    drawn(figure)
    labels = [label.get_text() for label in right.get_xticklabels()]
    assert "C3\n131" in labels and "C4\n262" in labels
    assert right.get_xlim()[0] > 40 and right.get_xlim()[1] < 75
    for shape, note in zip(right.collections, (45, 69), strict=True):  # A2 and A4, upwards from its row
        vertices = shape.get_paths()[0].vertices
        assert vertices[vertices[:, 1].argmin(), 0] == pytest.approx(note, abs=0.6)


@pytest.mark.filterwarnings("error")
def test_nothing_is_too_little_to_draw():
    silence, unvoiced = np.zeros(5000, np.float32), F0(np.zeros(9), np.zeros(9, bool))
    figures = [
        plots.waveform(np.zeros(1, np.float32), RATE),
        plots.spectrogram(silence, RATE, unvoiced),
        plots.f0_curves({"a": unvoiced}, sample_rate=RATE, wav=silence),
        plots.conversion(silence, silence, sample_rate=RATE),
        plots.losses([]),
        plots.losses([step(1, mel=1.0)]),
    ]
    assert all(drawn(figure) for figure in figures)


def test_neither_torch_nor_a_window_system_is_touched():
    code = "import sys, svcnb.plots; sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.filterwarnings("error")
def test_leak_readings_by_ratio():
    reading = lambda ratio, words: SimpleNamespace(ratio=ratio, target=0.5 + ratio / 4, source=0.4, words=words)
    rows = {"clusters": [reading(0, 0.8), reading(1, 0.4)], "index": [reading(0, 0.8), reading(1, 0.7)]}
    figure = plots.leak(rows, "title")
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[0.5, 0.75], [0.4, 0.4]] * 2
    assert [line.get_ydata().tolist() for line in right.lines] == [[80, 40], [80, 70]]
    assert drawn(figure)


@pytest.mark.filterwarnings("error")
def test_a_film_shows_all_its_pictures_to_one_scale():
    rng = np.random.default_rng(0)
    figure = plots.film({name: rng.normal(-4, 3, (20, 12)) for name in ("noisy", "clear")}, title="title")
    first, second, _ = figure.axes
    assert [axes.get_title() for axes in (first, second)] == ["noisy", "clear"]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (-12, 2)
    assert first.images[0].get_array().shape == (12, 20) and drawn(figure)


@pytest.mark.filterwarnings("error")
def test_measures_by_calls_have_a_line_for_each_sampler():
    (axes,) = plots.by_calls({"ddim": {2: 0.5, 8: 0.25}, "unipc": {2: 0.4}}).axes
    assert [line.get_label() for line in axes.lines] == ["ddim", "unipc"]
    assert axes.get_xscale() == "log" and axes.get_ylim() == (0, pytest.approx(0.575))
    assert list(axes.lines[0].get_xdata()) == [2, 8]
