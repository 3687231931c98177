"""The forms of colab/quickstart.ipynb, a method for each: recordings, preparation, training, conversion.

    voice = Voice(work, "anna", "lesson")
    voice.recordings("MyDrive/anna.zip")
    voice.prepare()
    voice.train(minutes=30)
    voice.convert("MyDrive/song.wav")

Each does what is still to be done. So running a form again goes on, and so does running all of them in a new session,
with what the last one left on Drive.
"""

import contextlib
import re
from functools import partial
from pathlib import Path

from svcnb import audio, drive, key, lesson, registry
from svcnb import notebook as nb
from svcnb.checkpoint import latest
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.files import write_whole
from svcnb.prepare import DataReport, prepare
from svcnb.prepare.gather import gather
from svcnb.training import train_sovits

SIZES = {  # how large a voice is: what it hears through, and the settings that it starts from
    "lesson": {"preset": "lesson", "encoder": "lesson"},
    "full": {"preset": "full", "encoder": "vec768l12"},
}
HEARD = 30  # seconds that a player of the notebook holds; the whole song is in its file


def beginning(work: Path) -> tuple[Config, Path | None]:
    """Settings of a prepared work folder and the voice to start from: the lesson's or, downloaded, a full-size one.

    None where there is none for its speech encoder. Raises DownloadError.
    """
    config = Config.load(work / "configs/config.json")
    encoder = config.model.speech_encoder
    if encoder == "lesson":
        return config.copy_with(train=lesson.NEW_SINGER), lesson.voice_path()
    if f"base-{encoder}-g" not in registry.TABLE:
        return config, None
    registry.fetch(f"base-{encoder}-d")  # training finds it beside the other
    return config, registry.fetch(f"base-{encoder}-g")


class Voice:
    """A voice in the making: its folder on this machine and, if it is kept, its folder on Drive."""

    def __init__(self, work: str | Path, name: str, size: str = "lesson", kept: bool = True):
        """name: the singer's. kept: on Google Drive, for which Colab then asks. Raises ValueError, OSError."""
        if not re.fullmatch(r"[\w-]+", name):
            raise ValueError(f"A voice's name has letters, digits, - and _ only, unlike {name!r}.")
        if size not in SIZES:
            raise ValueError(f"A voice is of size {' or '.join(SIZES)}, not {size!r}.")
        self.name, self.size = name, size
        self.work, self.shelf = Path(work) / f"{name}-{size}", None
        if kept and nb.IN_COLAB:
            self.shelf = nb.mount_drive() / "svcnb" / self.work.name
            restored = drive.restore(self.shelf, self.work)
            print(f"Finished work is kept on Drive in svcnb/{self.work.name}; {len(restored)} files came from there.")

    def recordings(self, source: str = "") -> None:
        """Bring recordings of the singer together: a zip file or a folder, on Drive or here, or a file uploaded now.

        Without any, a lesson singer stands in. Raises FileNotFoundError, ValueError when there is no sound in it.
        """
        place, raw = self.given(source, "recordings"), self.work / "raw" / self.name
        if place is not None:
            print(f"{gather(place, raw)} recordings from {place.name}")
        else:
            lesson.write_songs(self.work / "lesson", [lesson.NEWCOMER], ["kitchen"] if nb.FAST else None)
            print(f"{gather(self.work / 'lesson', raw)} recordings; {lesson.NEWCOMER} of the lesson singers stands in")
        self._keep()

    def prepare(self) -> DataReport:
        """Clips, features and settings; the report on them."""
        return prepare(self.work / "raw", self.work, f0="fcpe", **SIZES[self.size])

    def train(self, minutes: float) -> None:
        """Train for so long, or go on with it; watch it meanwhile, and stop it at any time. All is saved."""
        from IPython.display import display

        from svcnb.widgets import TrainingMonitor

        config, base = beginning(self.work)
        train = partial(train_sovits, self.work, config, base=base, max_steps=6 if nb.FAST else None)
        if moved := drive.make_room(train, self.work, self.shelf):
            print(moved)
        begin = lambda: drive.keeping(train(), self.work, self.shelf)
        monitor = TrainingMonitor(begin, config.data.sampling_rate, minutes)
        display(monitor)
        with contextlib.suppress(KeyboardInterrupt):  # the notebook's stop button
            monitor.wait()
        print(monitor.said)

    def convert(self, song: str = "", semitones: float | None = None) -> nb.Html:
        """Give a song this voice: players of its beginning; the whole is written to `songs`, as flac.

        song: a file on Drive or here, or one uploaded now; without any, a lesson singer's. semitones: None finds how
        far this singer's usual pitch lies from the song's. Raises FileNotFoundError, ValueError.
        """
        model, usual = latest(self.work / drive.LOGS), key.usual_pitch(self.name, self.work)
        if model is None or usual is None:
            raise ValueError("There is no voice to sing with yet: run the forms above first.")
        converter, place = Converter.load(model), self.given(song, "song")
        if place is None:
            place = self.work / "lesson" / "row.wav"
            audio.save(place, lesson.sing("emil", "row")[0], lesson.RATE)
        wav = audio.load(place, converter.sample_rate)[0]
        if semitones is None:
            semitones = key.distance(wav, converter.sample_rate, usual)
        out = self.work / "songs" / f"{place.stem}-{self.name}.flac"
        out.parent.mkdir(exist_ok=True)
        conversion = converter.convert(wav, speaker=self.name, semitones=semitones, out=out)
        self._keep()
        print(*conversion.notes, f"{place.name}, {semitones:+g} semitones: {out.name}", sep="\n")
        beginning = slice(0, HEARD * converter.sample_rate)
        return nb.compare({place.stem: wav[beginning], self.name: conversion.audio[beginning]}, converter.sample_rate)

    def download(self) -> None:
        """Hand the newest song to the browser; outside Colab, say where it lies. Raises ValueError without one."""
        song = max((self.work / "songs").glob("*"), key=lambda path: path.stat().st_mtime, default=None)
        if song is None:
            raise ValueError("There is no song yet: run the form above first.")
        if nb.IN_COLAB:
            from google.colab import files

            files.download(str(song))
        else:
            print(f"Your song, in the work folder: {song.relative_to(self.work.parent).as_posix()}")

    def given(self, name: str, kind: str) -> Path | None:
        """What a form names; or what was uploaded for it, now or before; None where there is nothing.

        Raises FileNotFoundError.
        """
        if name:
            places = [nb.MOUNT / name, nb.MOUNT / "MyDrive" / name, Path(name)]
            for place in places:
                if place.exists():
                    return place
            raise FileNotFoundError(f"There is no {name} on Drive or here; copy its path from the files on the left.")
        folder = self.work / "uploads" / kind
        if not any(folder.glob("*")) and nb.IN_COLAB and not nb.FAST:
            for file, content in nb.upload().items():
                write_whole(folder / Path(file).name, content)
        return next(iter(sorted(folder.glob("*"))), None)

    def _keep(self) -> None:
        if self.shelf:
            drive.keep(self.work, self.shelf)
