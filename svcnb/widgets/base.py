"""What the widgets share: how the page asks Python for something, and what a notebook without a page shows."""

import io
from pathlib import Path

import anywidget
import numpy as np
import soundfile
import traitlets as t

from svcnb.audio import to_int16

HERE = Path(__file__).parent
TROUBLE = ValueError, OSError, RuntimeError, ImportError  # what is for the person to know; all else is a slip of ours


def module(name: str) -> str:
    """The ES module of a widget, after what all of them use; no widget imports anything over the network."""
    return "\n".join((HERE / file).read_text(encoding="utf-8") for file in ("base.js", name))


def flac(wav: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit flac file of wav (N,): every browser reads it, and nothing is shifted or lost."""
    file = io.BytesIO()
    soundfile.write(file, to_int16(wav), sample_rate, format="FLAC")
    return file.getvalue()


def spectrogram(wav: np.ndarray, sample_rate: int, low: float, high: float, rows: int, columns: int) -> np.ndarray:
    """Levels of wav (N,) for a page to draw in its own ink: uint8 (rows, at most columns), `high` Hz on top."""
    from svcnb.plots import RANGE_DB, levels

    decibel = levels(wav, sample_rate, np.geomspace(high, low, rows), columns)[0]
    return (255 * np.clip(1 + decibel / RANGE_DB, 0, 1)).astype(np.uint8)


class Widget(anywidget.AnyWidget):
    """A widget whose page sends `{"do": name, …}`, which calls that method with the rest; `DEEDS` names those allowed.

    Python owns the state: the page draws what the traits say, and changes nothing itself.
    """

    DEEDS: tuple[str, ...] = ()
    _css = HERE / "base.css"
    said = t.Unicode().tag(sync=True)  # shown, and read aloud by a screen reader

    def __init__(self, **traits):
        super().__init__(**traits)
        self.on_msg(self._heed)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: to be used in a running notebook>"  # no address: outputs are compared

    def _heed(self, _, message: dict, buffers: list) -> None:
        """Do what the page asks; what can not be done is said there."""
        deed, how = message.get("do"), {name: value for name, value in message.items() if name != "do"}
        if deed not in self.DEEDS:
            raise ValueError(f"{type(self).__name__} does not know how to {deed!r}.")
        try:
            getattr(self, deed)(**how)
        except TROUBLE as error:
            self.said = ""  # else the same sentence would not be said again
            self.said = str(error)


class History:
    """States to go back to and forth again."""

    def __init__(self, state: object, most: int = 200):
        self.now, self._past, self._future, self._most = state, [], [], most

    def add(self, state: object) -> None:
        """Go on to a new state; what was undone is forgotten."""
        self._past = [*self._past, self.now][-self._most :]
        self.now, self._future = state, []

    def back(self) -> bool:
        """Undo one step; False if there is none."""
        return self._go(self._past, self._future)

    def forth(self) -> bool:
        """Redo one step; False if there is none."""
        return self._go(self._future, self._past)

    @property
    def can(self) -> dict[str, bool]:
        """Whether there is something to undo and to redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}

    def _go(self, source: list, target: list) -> bool:
        if not source:
            return False
        target.append(self.now)
        self.now = source.pop()
        return True
