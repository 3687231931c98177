"""The record of what was made of what, so that a second run knows what is left to do.

A recording is known by its size and time of change, a clip by what is in it: so a copied work folder stays valid, and
the features of a clip that comes out the same are kept.

Notebook: 01_data
"""

import hashlib
import logging
import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from svcnb.files import write_whole
from svcnb.prepare.quality import Quality

log = logging.getLogger(__name__)


class Stamp(BaseModel, frozen=True):
    """A file's size and time of change."""

    size: int
    changed: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        stat = path.stat()
        return cls(size=stat.st_size, changed=stat.st_mtime_ns)


class Clip(BaseModel):
    """A clip: its file relative to the work folder, and what is in it."""

    file: str
    seconds: float
    stamp: Stamp
    sha256: str

    @classmethod
    def of(cls, work: Path, file: str, seconds: float) -> "Clip":
        return cls(file=file, seconds=seconds, stamp=Stamp.of(work / file), sha256=sha256(work / file))

    def is_intact(self, work: Path) -> bool:
        """Whether the clip is there as it was made; its stamp is renewed where only that has changed."""
        path = work / self.file
        if not path.is_file():
            return False
        stamp = Stamp.of(path)
        if stamp != self.stamp and sha256(path) != self.sha256:
            return False
        self.stamp = stamp
        return True


class Recording(BaseModel):
    """A recording: its state, how it was cut, and what came out."""

    stamp: Stamp
    cutting: str
    name: str
    clips: list[Clip]
    quality: Quality


class Manifest(BaseModel):
    """All recordings by their path relative to the raw folder, and the settings that config.json was made with."""

    recordings: dict[str, Recording] = {}
    settings: dict = {}
    _saved: float = 0.0

    @classmethod
    def load(cls, work: Path) -> "Manifest":
        """The manifest of a work folder; an empty one if there is none or it cannot be read."""
        path = _path(work)
        try:
            return cls.model_validate_json(path.read_bytes()) if path.exists() else cls()
        except ValidationError:
            log.warning("%s cannot be read; every recording is cut anew.", path)
            return cls()

    def save(self, work: Path) -> None:
        """Write the manifest."""
        write_whole(_path(work), self.model_dump_json(indent=1))
        self._saved = time.monotonic()

    def save_now_and_then(self, work: Path) -> None:
        """Write the manifest if the last time was over two seconds ago."""
        if time.monotonic() - self._saved > 2:
            self.save(work)

    def is_current(self, work: Path, source: str, stamp: Stamp, cutting: str) -> bool:
        """Whether a recording and its clips are as they were when it was cut in this way."""
        known = self.recordings.get(source)
        if known is None or (known.stamp, known.cutting) != (stamp, cutting):
            return False
        return all([clip.is_intact(work) for clip in known.clips])

    def clips(self) -> list[Clip]:
        """All clips, sorted by file."""
        return sorted((clip for known in self.recordings.values() for clip in known.clips), key=lambda clip: clip.file)


def sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _path(work: Path) -> Path:
    return work / "dataset" / "manifest.json"
