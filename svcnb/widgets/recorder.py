"""Recorder: one's own voice, recorded in the browser or chosen as a file, and kept in a folder.

    recorder = Recorder(work / "raw/me")
    recorder                 # a cell's last line: record, listen, keep; or choose files
    recorder.takes           # in the next cell: the sound files that the folder holds

Notebook: 01_data
"""

import base64
import binascii
from pathlib import Path

import numpy as np
import traitlets as t

from svcnb import audio
from svcnb.files import write_whole
from svcnb.prepare.scan import SUFFIXES
from svcnb.widgets.base import Widget, module

QUIET, LOUD = 0.05, 0.999  # peaks below and above which a recording should be made again


class Recorder(Widget):
    """A microphone, and a folder for what it hears; nothing leaves the page before the person says keep."""

    DEEDS = ("take",)
    _esm = module("recorder.js")
    kept = t.List(t.Unicode()).tag(sync=True)  # names of the files in the folder

    def __init__(self, folder: str | Path):
        self.folder, self._parts = Path(folder), []
        super().__init__()
        self.kept = [path.name for path in self.takes]

    @property
    def takes(self) -> list[Path]:
        """The sound files in the folder, by name."""
        return sorted(path for path in self.folder.glob("*") if path.suffix.lower() in SUFFIXES)

    def take(self, name: str, part: int, of: int, data: str) -> None:
        """Part number `part` of a file, base64, of `of` parts; with the last one it is kept. Raises ValueError.

        In parts, because servers refuse long messages; as text, because not every notebook passes bytes on.
        """
        if part == 0:
            self._parts = []
        if part != len(self._parts):
            raise ValueError("Some of the sound was lost on the way; keep it once more.")
        try:
            self._parts.append(base64.b64decode(data, validate=True))
        except binascii.Error:
            raise ValueError("Some of the sound was damaged on the way; keep it once more.") from None
        if len(self._parts) == of:
            self._keep(name, b"".join(self._parts))

    def _keep(self, name: str, content: bytes) -> None:
        path = self._free(Path(name.replace("\\", "/")).name)
        write_whole(path, content)
        try:
            wav, rate = audio.load(path)
        except audio.AudioError as error:
            path.unlink()
            raise ValueError(f"{path.name} is not kept: {error}") from None
        self.kept = [path.name for path in self.takes]
        self.said = f"Kept as {path.name}: {len(wav) / rate:.1f} s.{_advice(float(np.abs(wav).max()))}"

    def _free(self, name: str) -> Path:
        """A place for a file of this name, numbered where there is one already."""
        path = self.folder / name
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{name} is no sound file; choose wav, flac or mp3.")
        number = 1
        while path.exists():
            number += 1
            path = self.folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        return path


def _advice(peak: float) -> str:
    if peak >= LOUD:
        return " It is too loud and clipped: step back and record it again."
    return " It is very quiet: come nearer and record it again." if peak < QUIET else ""
