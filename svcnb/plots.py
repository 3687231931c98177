"""Pictures of sound, pitch, conversions, training, data: each function returns a matplotlib Figure and shows nothing.

One style: time in seconds, pitch in hertz with the names of the notes, colours that colour-blind people tell apart
(Okabe and Ito) and that differ in dash, place or label, too, on a light ground, to be read in light and dark notebooks.

Notebook: 01_data
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from svcnb.f0 import F0
from svcnb.options import Options
from svcnb.slicer import Chunk

if TYPE_CHECKING:
    from svcnb.leak import Reading
    from svcnb.mixing import Timeline
    from svcnb.prepare import DataReport
    from svcnb.training import Step

BLUE, ORANGE, GREEN, PURPLE, RED, SKY = COLOURS = "#0072B2", "#E69F00", "#009E73", "#AA4499", "#D55E00", "#56B4E9"
DASHES = "-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (1, 3))
INK, QUIET, GROUND = "#222222", "#8a8a8a", "#fbfbf9"
HEAT = "magma"
RANGE_DB = 70.0  # that a spectrogram shows below its loudest point
WIDTH = 9.0  # inches
HERTZ = 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000


def waveform(wav: np.ndarray, sample_rate: int, chunks: Sequence[Chunk] = (), title: str = "") -> Figure:
    """Samples (N,) over time; with `chunks`, how the slicer cuts them, numbered, silence hatched."""
    figure, (axes,) = _figure(1, 2.4, title)
    _draw_waveform(axes, wav, sample_rate)
    number, quiet = 0, dict(facecolor="none", edgecolor=QUIET, hatch="///", lw=0)
    for chunk in chunks:
        start, end = chunk.start / sample_rate, chunk.end / sample_rate
        if chunk.voiced:
            number += 1
            axes.axvspan(start, end, color=(SKY, ORANGE)[number % 2], alpha=0.2, lw=0, zorder=0)
            place = dict(transform=axes.get_xaxis_transform(), ha="center", va="top")
            box = dict(color=GROUND, alpha=0.8, pad=1.5)
            axes.text((start + end) / 2, 0.95, str(number), color=INK, bbox=box, **place)
        else:
            axes.axvspan(start, end, zorder=0, **quiet)
        axes.axvline(start, color=QUIET, lw=0.6)
    if number < len(chunks):  # a word beside the picture: most silences are too narrow for one
        figure.legend(handles=[Patch(label="silence", **quiet)], loc="outside upper right", frameon=False)
    axes.set(xlabel="time in s", ylabel="amplitude", xlim=(0, len(wav) / sample_rate))
    return figure


def spectrogram(
    wav: np.ndarray, sample_rate: int, f0: F0 | None = None, hop: int = 512, title: str = "", low: float = 50
) -> Figure:
    """Level over time and frequency, frequency on a log scale from `low` Hz; with `f0`, a curve every `hop` samples."""
    figure, (axes,) = _figure(1, 3.6, title)
    image = _draw_spectrogram(axes, wav, sample_rate, low)
    if f0 is not None:
        outline = [Stroke(linewidth=3.5, foreground="black"), Normal()]
        axes.plot(*_curve(f0, hop / sample_rate), color=SKY, lw=1.8, path_effects=outline, label="pitch")
        axes.legend(loc="upper right")
    axes.set_xlabel("time in s")
    figure.colorbar(image, ax=axes, label="level in dB", pad=0.01)
    return figure


def levels(wav: np.ndarray, sample_rate: int, rows: np.ndarray, columns: int = 1200) -> tuple[np.ndarray, int]:
    """Level (len(rows), T) at frequencies in Hz, in dB below the loudest; and the samples from column to column.

    There are `columns` at most, or a few more.
    """
    hop = max(256, len(wav) // columns)
    level = librosa.amplitude_to_db(np.abs(librosa.stft(wav, n_fft=4096, hop_length=hop)), ref=np.max, top_db=RANGE_DB)
    hz = np.arange(level.shape[0]) * sample_rate / 4096
    return np.array([np.interp(rows, hz, column) for column in level.T]).T, hop


def f0_curves(
    curves: Mapping[str, F0], hop: int = 512, sample_rate: int = 44100, wav: np.ndarray | None = None, title: str = ""
) -> Figure:
    """Pitch curves by name over one another, with note names; with `wav`, over its spectrogram."""
    figure, (axes,) = _figure(1, 3.8, title)
    sung = np.concatenate([curve.hz[curve.voiced] for curve in curves.values()])
    sung = sung[(sung > 20) & (sung < 20000)]  # an untrained model's own melody may be anything
    low, high = np.percentile(sung, [0.5, 99.5]) * [0.84, 1.19] if len(sung) else (100, 800)
    if wav is not None:
        _draw_spectrogram(axes, wav, sample_rate, low, high, cmap="Greys")
    for number, (name, curve) in enumerate(curves.items()):
        style = dict(color=COLOURS[number % len(COLOURS)], ls=DASHES[number % len(DASHES)])
        width = max(1.2, 3.4 - 0.6 * number)  # thinner over thicker: all can be seen where they agree
        axes.plot(*_curve(curve, hop / sample_rate), lw=width, label=name, **style)
    _hertz_axis(axes, low, high, notes=True)
    axes.set(xlabel="time in s", xlim=(0, max(len(c.hz) for c in curves.values()) * hop / sample_rate))
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    return figure


def conversion(
    source: np.ndarray,
    converted: np.ndarray,
    target: np.ndarray | None = None,
    sample_rate: int = 44100,
    title: str = "",
) -> Figure:
    """Mel spectrograms of a song, its conversion and, where there is one, the target's own rendition, to one scale."""
    return takes(
        {"source": source, "converted": converted} | ({} if target is None else {"target": target}), sample_rate, title
    )


def takes(takes: Mapping[str, np.ndarray], sample_rate: int = 44100, title: str = "") -> Figure:
    """Mel spectrograms of sounds by name, one under the other, to one scale of time."""
    figure, all_axes = _figure(len(takes), 2.0, title)
    mels = {name: _mel_db(wav, sample_rate) for name, wav in takes.items()}
    for axes, (name, level) in zip(all_axes, mels.items(), strict=True):
        extent = (0, len(takes[name]) / sample_rate, 0, level.shape[0])
        image = axes.imshow(level, origin="lower", aspect="auto", extent=extent, cmap=HEAT, vmin=-RANGE_DB, vmax=0)
        ticks = [hz for hz in (200, 1000, 3000, 8000) if hz < sample_rate / 2]
        bands = librosa.mel_frequencies(level.shape[0] + 2, fmin=0, fmax=_top(sample_rate))[1:-1]
        axes.set_yticks(np.interp(ticks, bands, np.arange(len(bands)) + 0.5), [_hertz(hz) for hz in ticks])
        axes.set_ylabel("Hz")
        axes.text(0.008, 0.93, name, transform=axes.transAxes, color="white", va="top", weight="bold")
    for axes in all_axes:
        axes.set_xlim(0, max(map(len, takes.values())) / sample_rate)
        axes.tick_params(labelbottom=axes is all_axes[-1])
    all_axes[-1].set_xlabel("time in s")
    figure.colorbar(image, ax=list(all_axes), label="level in dB", pad=0.01)
    return figure


def units(tables: Mapping[str, np.ndarray], seconds: float, title: str = "") -> Figure:
    """Tables (T, D) of the same seconds as pictures, one under the other, each value against its own usual range."""
    figure, all_axes = _figure(len(tables), 1.7, title)
    for axes, (name, table) in zip(all_axes, tables.items(), strict=True):
        spread = (table - table.mean(0)) / (table.std(0) + 1e-9)
        extent = (0, seconds, 0, table.shape[1])
        image = axes.imshow(spread.T, aspect="auto", origin="lower", cmap=HEAT, vmin=-2, vmax=2, extent=extent)
        axes.set(title=name, ylabel=f"{table.shape[1]} numbers", yticks=[])
        axes.tick_params(labelbottom=axes is all_axes[-1])
    all_axes[-1].set_xlabel("time in s")
    scale = figure.colorbar(image, ax=list(all_axes), pad=0.01, ticks=[-2, 0, 2])
    scale.set_ticklabels(["low", "as usual", "high"])
    return figure


def points(places: np.ndarray, groups: Sequence[str], title: str = "") -> Figure:
    """Points (N, 2) in a plane without scales; each group has a colour and a shape."""
    figure, (axes,) = _figure(1, 5.0, title)
    groups = np.asarray(groups)
    for number, name in enumerate(dict.fromkeys(groups.tolist())):
        colour, marker = (SKY, ORANGE, GREEN, PURPLE, RED, BLUE)[number % 6], "os^D"[(number + number // 12) % 4]
        axes.scatter(*places[groups == name].T, s=18, alpha=0.8, lw=0, label=name, color=colour, marker=marker)
    axes.set_axis_off()
    figure.legend(loc="outside lower center", ncols=9, frameon=False, markerscale=1.5)
    return figure


def film(pictures: Mapping[str, np.ndarray], hop: int = 512, sample_rate: int = 44100, title: str = "") -> Figure:
    """A vocoder's log mels (T, M) side by side, one colour scale for all: a strip to see noise come or go."""
    low, high = 40, 16000  # Hz, as such vocoders have it
    figure, all_axes = _figure(1, 2.3, title, len(pictures))
    ticks = 200, 1000, 3000, 8000  # Hz
    for axes, (name, mel) in zip(all_axes, pictures.items(), strict=True):
        extent = (0, len(mel) * hop / sample_rate, 0, mel.shape[1])
        image = axes.imshow(mel.T, origin="lower", aspect="auto", extent=extent, cmap=HEAT, vmin=-12, vmax=2)
        bands = librosa.mel_frequencies(mel.shape[1] + 2, fmin=low, fmax=high)[1:-1]
        axes.set_yticks(np.interp(ticks, bands, np.arange(len(bands)) + 0.5), [_hertz(hz) for hz in ticks])
        axes.tick_params(labelleft=axes is all_axes[0])
        axes.set_title(name, fontsize=9)
    all_axes[0].set_ylabel("Hz")
    figure.supxlabel("time in s", color=INK, fontsize=10)
    figure.colorbar(image, ax=list(all_axes), label="log mel", pad=0.01)
    return figure


def by_calls(curves: Mapping[str, Mapping[int, float]], title: str = "", label: str = "mel distance") -> Figure:
    """A measure against the number of network calls, both in powers of two, a line for each sampler."""
    figure, (axes,) = _figure(1, 3.6, title)
    for number, (name, curve) in enumerate(curves.items()):
        style = dict(
            color=COLOURS[number % len(COLOURS)], ls=DASHES[number % len(DASHES)], marker="osD^vPX*<"[number % 9]
        )
        axes.plot(list(curve), list(curve.values()), lw=1.6, ms=4, label=name, **style)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda calls, _: f"{calls:g}"))
    top = max(value for curve in curves.values() for value in curve.values())
    axes.set(xlabel="network calls", ylabel=label, ylim=(0, 1.15 * top))
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def losses(steps: Sequence[Step], title: str = "") -> Figure:
    """The losses of training steps, a panel each: as they came, and smoothed."""
    names = list(dict.fromkeys(name for step in steps for name in step.losses))
    columns = max(1, min(3, len(names)))
    figure, panels = _figure(-(-len(names) // columns) or 1, 2.1, title, columns)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        axes.set(title=name, xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        given = [step for step in steps if name in step.losses]
        series = np.array([step.losses[name] for step in given], float)
        axes.plot([step.step for step in given], series, color=SKY, lw=0.6, alpha=0.7)
        axes.plot([step.step for step in given], _smooth(series), color=BLUE, lw=1.8)
        finite = series[np.isfinite(series)]
        if len(finite) > 10:  # the first steps would flatten the rest
            low, high = finite.min(), np.percentile(finite, 98)
            axes.set_ylim(low - 0.05 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
    return figure


def mix(
    timeline: Timeline,
    speakers: Sequence[str],
    seconds: float,
    silences: Sequence[Sequence[float]] = (),
    title: str = "",
) -> Figure:
    """The shares of speakers along a song of some seconds, stacked; silences, as (start, end) in s, hatched."""
    figure, (axes,) = _figure(1, 2.6, title)
    shares = 100 * timeline.weights(1000).T
    times = (np.arange(1000) + 0.5) * seconds / 1000
    colours = [(SKY, ORANGE, GREEN, PURPLE, RED, BLUE)[number % 6] for number in range(len(speakers))]
    areas = axes.stackplot(times, shares, labels=speakers, colors=colours, ec=GROUND, lw=1)
    for number, area in enumerate(areas):
        area.set_hatch(("", "//", "..", "\\\\", "xx", "--")[number % 6])
    for start, end in silences:
        axes.axvspan(start, end, facecolor=GROUND, alpha=0.5, edgecolor=INK, hatch="|||", lw=0)
    axes.set(xlabel="time in s", ylabel="share in %", xlim=(0, seconds), ylim=(0, 100))
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    return figure


def knobs(options: Mapping[str, tuple[object, Mapping]], title: str = "") -> Figure:
    """Options by name: each value between its bounds, a ring at the usual one; words and switches as they are.

    options: the value, and what `svcnb.options.KNOWN` says of it.
    """
    figure, (axes,) = _figure(1, 0.32 * len(options) + 0.3, title)
    for row, (name, (value, known)) in enumerate(options.items()):
        usual = known["usual"] if getattr(Options, name) is None else getattr(Options, name)
        if known["least"] is not None:
            bounds = known["least"], known["greatest"]
            axes.plot([0, 1], [row, row], color=QUIET, lw=1.5)
            axes.plot(np.interp(usual, bounds, [0, 1]), row, "o", mfc=GROUND, mec=INK, ms=9)
            axes.plot(np.interp(usual if value is None else value, bounds, [0, 1]), row, "o", color=BLUE, ms=5)
        said = "as usual" if value is None else ("off", "on")[value] if isinstance(value, bool) else value
        axes.text(1.05, row, f"{said} {known['unit']}".strip(), va="center", color=INK)
    axes.set(yticks=range(len(options)), yticklabels=list(options), xticks=[], xlim=(-0.03, 1.6))
    axes.set_ylim(len(options) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    return figure


def leak(readings: Mapping[str, Sequence[Reading]], title: str = "") -> Figure:
    """Against the ratio of each retrieval: how alike its conversions are to target and source, and the words kept."""
    figure, (left, right) = _figure(1, 3.2, title, columns=2)
    for number, (name, row) in enumerate(readings.items()):
        ratios, style = [r.ratio for r in row], dict(color=COLOURS[number % len(COLOURS)], marker="os^D"[number % 4])
        left.plot(ratios, [r.target for r in row], ls=DASHES[0], label=f"{name}, to the target", **style)
        left.plot(ratios, [r.source for r in row], ls=DASHES[1], label=f"{name}, to the source", mfc=GROUND, **style)
        right.plot(ratios, [100 * r.words for r in row], ls=DASHES[0], **style)
    left.set(xlabel="ratio", ylabel="similarity", title="who is heard")
    right.set(xlabel="ratio", ylabel="sounds understood in %", title="what is understood", ylim=(0, 100))
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def data_report(report: DataReport, work: str | Path, title: str = "") -> Figure:
    """Minutes of singing by speaker, and which notes each sings how often, from the features in the work folder."""
    from svcnb.prepare.report import sung  # brings torch along

    speakers = report.speakers
    figure, (left, right) = _figure(1, 0.5 * len(speakers) + 1.6, title, columns=2)
    low, high = 127.0, 0.0
    for row, speaker in enumerate(speakers.values()):
        colour = COLOURS[row % len(COLOURS)]
        left.barh(row, speaker.minutes, color=colour, height=0.6)
        left.text(speaker.minutes, row, f" {speaker.minutes:.1f}", va="center", color=INK)
        notes = librosa.hz_to_midi(sung(Path(work), speaker.clips))
        counts, edges = np.histogram(notes, np.arange(-0.5, 128))
        outline = (counts / max(counts.max(), 1) * 0.8).repeat(2)
        right.fill_between(edges.repeat(2)[1:-1], row + 0.4, row + 0.4 - outline, color=colour, lw=0)
        low, high = (min(low, *np.percentile(notes, [0.2])), max(high, *np.percentile(notes, [99.8])))
    left.set(yticks=range(len(speakers)), yticklabels=list(speakers), xlabel="minutes")
    left.set(ylim=(len(speakers) - 0.5, -0.5), xlim=(0, max(s.minutes for s in speakers.values()) * 1.15))
    right.set(yticks=[], xlabel="note sung, and Hz", xlim=(low - 2, high + 2), ylim=(len(speakers) - 0.5, -0.5))
    step = (0, 4, 7) if high - low < 30 else (0,)
    ticks = [note for note in range(int(low) - 2, int(high) + 3) if note % 12 in step]
    right.set_xticks(ticks, [_note(librosa.midi_to_hz(note)).replace(" ", "\n") for note in ticks])
    right.set_xlim(low - 2, high + 2)
    return figure


def _figure(rows: int, height: float, title: str, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height * rows + 0.3 * bool(title)), layout="constrained", facecolor=GROUND)
    if title:
        figure.suptitle(title, color=INK, fontsize=12)
    return figure, [_style(axes) for axes in np.ravel(figure.subplots(rows, columns))]


def _style(axes: Axes) -> Axes:
    axes.set_facecolor(GROUND)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    return axes


def _draw_waveform(axes: Axes, wav: np.ndarray, sample_rate: int) -> None:
    """The lowest and highest sample of each of some 2000 columns: no peak is lost, however long the song."""
    step = max(1, len(wav) // 2000)
    blocks = wav[: len(wav) // step * step].reshape(-1, step)
    seconds = np.arange(len(blocks)) * step / sample_rate
    axes.fill_between(seconds, blocks.min(axis=1), blocks.max(axis=1), color=BLUE, lw=0.4)
    top = max(0.05, np.abs(wav).max(initial=0)) * 1.3
    axes.set_ylim(-top, top)


def _draw_spectrogram(axes, wav, sample_rate, low, high=None, cmap=HEAT):
    rows = np.geomspace(low, min(high or 20000, sample_rate / 2), 320)
    image, hop = levels(wav, sample_rate, rows)
    edges = np.arange(image.shape[1]) * hop / sample_rate
    mesh = axes.pcolormesh(edges, rows, image, cmap=cmap, vmin=-RANGE_DB, vmax=0, shading="nearest", rasterized=True)
    axes.set_xlim(0, len(wav) / sample_rate)
    _hertz_axis(axes, rows[0], rows[-1])
    return mesh


def _curve(f0: F0, seconds_per_frame: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and pitch, with gaps where unvoiced."""
    return np.arange(len(f0.hz)) * seconds_per_frame, np.where(f0.voiced, f0.hz, np.nan)


def _hertz_axis(axes: Axes, low: float, high: float, notes: bool = False) -> None:
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = HERTZ
    if notes:
        first, last = (69 + 12 * np.log2(np.array([low, high]) / 440)).round().astype(int)
        step = (0, 2, 4, 5, 7, 9, 11) if last - first < 20 else (0, 4, 7) if last - first < 40 else (0,)
        ticks = librosa.midi_to_hz([n for n in range(first, last + 1) if n % 12 in step])
        axes.grid(axis="y", color=QUIET, lw=0.3, alpha=0.6)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_note if notes else lambda hz, _: _hertz(hz)))
    axes.set_ylabel("note and Hz" if notes else "frequency in Hz")


def _note(hz: float, _=None) -> str:
    return f"{librosa.hz_to_note(hz, unicode=False)} {hz:.0f}"


def _hertz(hz: float) -> str:
    return f"{hz:.0f}" if hz < 1000 else f"{hz / 1000:g}k"


def _mel_db(wav: np.ndarray, sample_rate: int) -> np.ndarray:
    options = dict(n_fft=2048, hop_length=max(256, len(wav) // 1200), n_mels=100, fmax=_top(sample_rate))
    mel = librosa.feature.melspectrogram(y=wav, sr=sample_rate, **options)
    return librosa.power_to_db(mel, ref=np.max, top_db=RANGE_DB)


def _top(sample_rate: int) -> float:
    return min(12000, sample_rate / 2)


def _smooth(series: np.ndarray) -> np.ndarray:
    """Mean over a fiftieth of the series to either side; what is not finite counts for nothing."""
    reach = max(1, len(series) // 50)
    finite = np.isfinite(series)
    window = np.ones(2 * reach + 1)
    total = np.convolve(np.where(finite, series, 0), window)[reach : reach + len(series)]
    return total / np.maximum(np.convolve(finite, window)[reach : reach + len(series)], 1)
