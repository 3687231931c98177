"""The recordings of one singer, from a zip file or a folder wherever they lie, brought to where preparation looks.

Notebook: 01_data
"""

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from svcnb.files import whole_file
from svcnb.prepare.scan import SUFFIXES, DataError, is_hidden


class Sound(NamedTuple):
    """A sound file somewhere: its place below the source, its time of change in whole seconds, and how to open it."""

    name: str
    changed: int
    open: Callable[[], IO[bytes]]


def gather(source: str | Path, raw: str | Path) -> int:
    """Let the folder `raw` hold exactly the sound files of `source`, a zip file, a folder or a sound; their number.

    They keep their times of change, so that preparation knows them again on another machine. Raises DataError when
    there is no sound file, OSError.
    """
    source, raw = Path(source), Path(raw)
    found = set()
    for sound in _sounds(source):
        target = raw / sound.name
        found.add(target)
        if not target.exists() or target.stat().st_mtime != sound.changed:
            with sound.open() as stream, whole_file(target) as part:
                with open(part, "wb") as file:
                    shutil.copyfileobj(stream, file)
                os.utime(part, (sound.changed, sound.changed))
    if not found:
        raise DataError(f"There are no sound files in {source}; put wav, flac or mp3 files there.")
    for path in raw.rglob("*"):
        if path.is_file() and path not in found:
            path.unlink()
    return len(found)


def _sounds(source: Path) -> Iterator[Sound]:
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                name = PurePosixPath("/", entry.filename.replace("\\", "/"))
                if _is_sound(name) and ".." not in name.parts:
                    changed = int(time.mktime((*entry.date_time, 0, 0, -1)))
                    yield Sound(str(name)[1:], changed, partial(archive.open, entry))
    else:
        folder, paths = (source, sorted(source.rglob("*"))) if source.is_dir() else (source.parent, [source])
        for path in paths:
            name = path.relative_to(folder)
            if path.is_file() and _is_sound(name):
                yield Sound(name.as_posix(), int(path.stat().st_mtime), partial(path.open, "rb"))


def _is_sound(name: PurePosixPath | Path) -> bool:
    return name.suffix.lower() in SUFFIXES and not any(map(is_hidden, name.parts))
