"""ConvertPanel: a control for every option of a conversion, and five seconds of the song to hear what it does.

    panel = ConvertPanel(converter, song, speaker="clara", semitones=4)
    panel                                                          # a cell's last line: turn, press, listen
    converter.convert(song, speaker=panel.speaker, **panel.options)

Notebook: 05_infer
"""

import time
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb.options import KNOWN, ConvertError, Options
from svcnb.widgets.base import Widget, flac, module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from svcnb.convert import Conversion, Converter

COLUMNS = 800  # of the picture of the song
MISSING = {  # part of a converter → what the page says where it is not there
    "voice": "there is no voice model",
    "f0_decoder": "this voice can not choose a melody",
    "retrieval": "no clusters or index are loaded",
    "diffusion": "no diffusion model is loaded",
    "enhancer": "no enhancer is loaded",
}


class ConvertPanel(Widget):
    """The options of a conversion of a song (N,); `options` and `speaker` go into `Converter.convert`."""

    DEEDS = "set", "choose", "move", "reset", "hear"
    _esm = module("convert_panel.js")
    knobs = t.List(t.Dict()).tag(sync=True)  # what there is to know of each option, in the order of the page
    values = t.Dict().tag(sync=True)  # of all options
    speakers = t.List(t.Unicode()).tag(sync=True)
    speaker = t.Unicode().tag(sync=True)
    outline = t.Bytes().tag(sync=True)  # the song's level, 0 to 255, in columns
    duration = t.Float().tag(sync=True)  # s, of the song
    start = t.Float().tag(sync=True)  # s, of what is heard
    seconds = t.Float().tag(sync=True)  # how much is heard
    busy = t.Bool(False).tag(sync=True)
    fresh = t.Bool(False).tag(sync=True)  # whether what was heard last is what the controls say now
    sounds = t.List(t.Bytes()).tag(sync=True)  # flac files: the song's piece, and that piece converted

    def __init__(
        self,
        converter: "Converter",
        song: np.ndarray,
        sample_rate: int | None = None,
        speaker: str | None = None,
        seconds: float = 5,
        **options,
    ):
        """sample_rate: the converter's, if not given. options: to begin with. Raises ConvertError."""
        self._converter, self._rate = converter, sample_rate or converter.sample_rate
        self._song = np.asarray(song, np.float32)
        if self._song.ndim != 1 or not self._song.size:
            raise ConvertError(f"The panel needs a song (N,) with at least one sample, not {self._song.shape}.")
        self._heard: Conversion | None = None
        names = list(converter.config.spk) or [str(number) for number in range(converter.n_speakers)]
        duration, outline = len(self._song) / self._rate, _outline(self._song)
        seconds = min(seconds, duration)
        super().__init__(
            knobs=[_knob(name, converter) for name in KNOWN],
            values=_plain(Options.of(options)),
            speakers=names,
            speaker=names[0],
            outline=(255 * outline / max(outline.max(), 1e-9)).astype(np.uint8).tobytes(),
            duration=duration,
            seconds=seconds,
            start=_loudest(outline, seconds / duration) * duration,
        )
        self.choose(speaker or names[0])

    @property
    def options(self) -> dict[str, object]:
        """What differs from the usual, for `Converter.convert`."""
        return {name: value for name, value in self.values.items() if value != getattr(Options, name)}

    @property
    def heard(self) -> "Conversion | None":
        """The piece that was converted last."""
        return self._heard

    def set(self, name: str, value: object) -> None:
        """Set one option. Raises ConvertError if it, or it together with the others, makes no sense."""
        self.values = _plain(Options.of(self.values | {name: value}))
        self.fresh = False

    def choose(self, speaker: str) -> None:
        """Choose who sings. Raises ConvertError naming those that there are."""
        if speaker not in self.speakers:
            raise ConvertError(f"There is no speaker {speaker!r}; there are {', '.join(self.speakers)}.")
        self.speaker, self.fresh = speaker, False

    def move(self, start: float) -> None:
        """Hear the song from another second on."""
        self.start, self.fresh = float(np.clip(start, 0, self.duration - self.seconds)), False

    def reset(self) -> None:
        """All options as they usually are."""
        self.values, self.fresh, self.said = _plain(Options()), False, "All options are as usual."

    def hear(self) -> None:
        """Convert the piece; the page plays it. Raises what `Converter.convert` raises."""
        first = round(self.start * self._rate)
        piece = self._song[first : first + round(self.seconds * self._rate)]
        self.busy, began = True, time.monotonic()
        try:
            self._heard = self._converter.convert(piece, self._rate, self._who(), **self.options)
        finally:
            self.busy = False
        took = f"{self.seconds:.3g} s of {self.speaker}, made in {time.monotonic() - began:.1f} s."
        with self.hold_sync():  # one message
            self.sounds = [flac(piece, self._rate), flac(self._heard.audio, self._heard.sample_rate)]
            self.fresh, self.said = True, " ".join([took, *self._heard.notes])

    def figure(self) -> "Figure":
        """The options as a picture: each value between its bounds."""
        from svcnb.plots import knobs

        return knobs({name: (self.values[name], KNOWN[name]) for name in KNOWN})

    def _who(self) -> str | int:
        return self.speaker if self.speaker in self._converter.config.spk else int(self.speaker)


def _knob(name: str, converter: "Converter") -> dict:
    """What the page needs to know of an option."""
    shown = "group", "meaning", "least", "greatest", "step", "unit", "usual", "choices"
    needs, default = KNOWN[name]["needs"], getattr(Options, name)
    kind = "switch" if isinstance(default, bool) else "choice" if KNOWN[name]["choices"] else "number"
    missing = MISSING[needs] if needs and not _has(converter, needs) else ""
    return {"name": name, "kind": kind, "default": default, "missing": missing} | {
        key: KNOWN[name][key] for key in shown
    }


def _has(converter: "Converter", part: str) -> bool:
    if part == "voice":
        return converter.model is not None
    if part == "f0_decoder":
        return converter.model is not None and converter.config.model.use_automatic_f0_prediction
    return getattr(converter, part) is not None


def _plain(options: Options) -> dict[str, object]:
    if callable(options.f0_predictor):
        raise ConvertError("The panel knows predictors by their names only; give f0_predictor a name.")
    return dict(vars(options))


def _outline(song: np.ndarray) -> np.ndarray:
    """The greatest sample of each of COLUMNS columns, or of as many as there are samples."""
    edges = np.linspace(0, len(song), min(COLUMNS, len(song)) + 1).astype(int)[:-1]
    return np.maximum.reduceat(np.abs(song), edges)


def _loudest(outline: np.ndarray, share: float) -> float:
    """Where, from 0 to 1, the loudest stretch begins that has a share of the song."""
    width = max(1, round(share * len(outline)))
    energy = np.convolve(outline**2, np.ones(width), "valid")
    return min(float(energy.argmax()) / len(outline), 1 - share)
