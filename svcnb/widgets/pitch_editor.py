"""PitchEditor: a melody to draw, drag, tune and hear, over the spectrogram of its song.

    editor = PitchEditor(song, conversion.f0)
    editor                                         # a cell's last line: draw, drag, press buttons or keys
    converter.convert(song, f0=editor.f0, …)       # what came of it

Notebook: 05_infer
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb import melody
from svcnb.audio import resample
from svcnb.f0 import F0
from svcnb.widgets.base import History, Widget, flac, module, spectrogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOW, HIGH, ROWS = 40.0, 1600.0, 256  # Hz at the picture's lower and upper edge, and its rows
MOST_COLUMNS = 6000
PREVIEW_RATE = 22050  # Hz of the sound that the page gets
SAYS = {
    "shift": "Shifted by {semitones:+.2f} semitones",
    "smooth": "Smoothed",
    "to_scale": "Tuned to {key} {mode}",
    "vibrato": "Vibrato of {rate:g} Hz and {depth:g} cents added",
    "flatten": "Vibrato flattened",
    "voice": "Made voiced",
    "unvoice": "Made unvoiced",
}


class PitchEditor(Widget):
    """The melody of a song (N,), changed by hand; `f0` is how it is now, and goes into `Converter.convert`."""

    DEEDS = "edit", "draw", "undo", "redo"
    _esm = module("pitch_editor.js")
    hz = t.Bytes().tag(sync=True)  # float32 (T,), 0 where unvoiced
    frame_rate = t.Float().tag(sync=True)  # frames a second
    sound = t.Bytes().tag(sync=True)  # a flac file
    picture = t.Bytes().tag(sync=True)  # levels 0 to 255, (rows, columns), the highest pitch first
    shape = t.List(t.Int()).tag(sync=True)
    bounds = t.List(t.Float(), [LOW, HIGH]).tag(sync=True)  # Hz of the picture's edges
    tonics = t.List(t.Unicode(), list(melody.KEYS)).tag(sync=True)
    modes = t.List(t.Unicode(), list(melody.MODES)).tag(sync=True)
    can = t.Dict({"undo": False, "redo": False}).tag(sync=True)

    def __init__(self, wav: np.ndarray, f0: F0, sample_rate: int = 44100, hop: int = 512):
        """f0: a value every `hop` samples, as `svcnb.f0` or a `Conversion` gives it. Raises MelodyError."""
        if abs(len(f0.hz) - len(wav) // hop) > 1:
            raise melody.MelodyError(
                f"The melody has {len(f0.hz)} frames, but the song has {len(wav) // hop}; give the hop of both."
            )
        wav, rate = np.asarray(wav, np.float32), sample_rate / hop
        self._wav, self._sample_rate, self._hop = wav, sample_rate, hop
        self._history = History(np.where(f0.voiced, f0.hz, 0.0))
        self._before = self.f0
        self._changes = {
            "shift": melody.shift,
            "smooth": partial(melody.smooth, frame_rate=rate),
            "to_scale": partial(melody.to_scale, frame_rate=rate),
            "vibrato": partial(melody.vibrato, frame_rate=rate),
            "flatten": partial(melody.flatten, frame_rate=rate),
            "voice": melody.voice,
            "unvoice": melody.unvoice,
        }
        levels = spectrogram(wav, sample_rate, LOW, HIGH, ROWS, MOST_COLUMNS)
        preview = min(sample_rate, PREVIEW_RATE)
        sound = flac(resample(wav, sample_rate, preview), preview)
        super().__init__(frame_rate=rate, sound=sound, picture=levels.tobytes(), shape=list(levels.shape))
        self._show()

    @property
    def f0(self) -> F0:
        """The melody as it is now, in the song's frames."""
        hz = self._history.now.copy()
        return F0(hz, hz > 0)

    def edit(self, change: str, start: float = 0.0, stop: float | None = None, **how) -> None:
        """Change the melody from `start` to `stop` in s (None: its end); one step to undo.

        change, with what `how` may say: shift (semitones), smooth (seconds), to_scale (key, mode, strength), vibrato
        (rate in Hz, depth in cents), flatten (amount), voice, unvoice. Raises MelodyError.
        """
        if change not in self._changes:
            raise melody.MelodyError(f"There is no change {change!r}; there are {', '.join(self._changes)}.")
        now, rate = self._history.now, self.frame_rate
        stop = len(now) / rate if stop is None else stop
        first, last = (round(max(0, second) * rate) for second in (start, stop))
        hz = now.copy()
        # Vibrato fades at the edges of the stretch that it is given; the others look beyond them.
        if change == "vibrato":
            hz[first:last] = self._changes[change](now[first:last], **how)
        else:
            hz[first:last] = self._changes[change](now, **how)[first:last]
        self._add(hz, f"{SAYS[change].format(**_said(how))}, {start:.2f} to {stop:.2f} s.")

    def draw(self, seconds: Sequence[float], pitches: Sequence[float]) -> None:
        """Draw a line through points given by time in s and pitch in Hz. Raises MelodyError."""
        hz = melody.draw(self._history.now, np.asarray(seconds) * self.frame_rate, pitches)
        self._add(hz, f"Drawn, {min(seconds):.2f} to {max(seconds):.2f} s.")

    def undo(self) -> None:
        """Take the last change back."""
        self._show("Undone." if self._history.back() else "Nothing to undo.")

    def redo(self) -> None:
        """Make the change again that was last taken back."""
        self._show("Redone." if self._history.forth() else "Nothing to redo.")

    def figure(self) -> "Figure":
        """The melody before and now, over the spectrogram."""
        from svcnb.plots import f0_curves

        return f0_curves({"before": self._before, "now": self.f0}, self._hop, self._sample_rate, wav=self._wav)

    def _add(self, hz: np.ndarray, said: str) -> None:
        if not np.array_equal(hz, self._history.now):  # else there would be nothing to undo
            self._history.add(hz)
        self._show(said)

    def _show(self, said: str = "") -> None:
        with self.hold_sync():  # one message
            self.hz = self._history.now.astype("<f4").tobytes()
            self.can = self._history.can
            self.said = said


def _said(how: dict) -> dict:
    return {"semitones": 0, "key": "C", "mode": "chromatic", "rate": 5.5, "depth": 50} | how
