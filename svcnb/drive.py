"""A shelf for finished work: a folder on Google Drive, from which a session on a fresh machine goes on.

Training reads and writes on the machine's own disk, which is fast and goes when the session goes. On the shelf lie only
finished files: what was uploaded, of each training the newest model and its state, converted songs, an exported voice.
Each comes there whole or not at all, and `kept.json` says which are there and how large they are.

Notebook: 03_train_sovits
"""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from svcnb.checkpoint import latest
from svcnb.files import whole_file, write_whole

if TYPE_CHECKING:
    from svcnb.training import Step

log = logging.getLogger(__name__)
LOGS = "logs/44k"
TRAININGS = {  # a folder's models by what their names begin with, and the settings that lie beside them
    LOGS: ("G_", "config.json"),
    f"{LOGS}/diffusion": ("model_", "config.yaml"),
    f"{LOGS}/vocoder": ("G_", "config.json"),
}
RECORD = "kept.json"


def finished(work: str | Path) -> list[str]:
    """What of a work folder is worth keeping, relative to it: uploads, takes, songs, exports, newest models, states."""
    work = Path(work)
    places = "recordings.txt", "uploads/*/*", "raw/me/*", "songs/*", "exported/*"
    found = [path for place in places for path in sorted(work.glob(place))]
    for folder, (prefix, settings) in TRAININGS.items():
        model = latest(work / folder, prefix)
        found += [model] if model else []
        found += [work / folder / "state.pt", work / folder / settings]
    return [path.relative_to(work).as_posix() for path in found if path.is_file() and path.suffix != ".part"]


def keep(work: str | Path, shelf: str | Path) -> list[str]:
    """Copy to the shelf what is finished and not there yet, and take away models that have a newer one.

    Returns what was copied. Raises OSError with a sentence on what to do.
    """
    work, shelf = Path(work), Path(shelf)
    kept, copied, wanted = _record(shelf), [], finished(work)
    for name in wanted:
        stamp = _stamp(work / name)
        if kept.get(name) != stamp:
            _copy(work / name, shelf / name)
            kept[name] = stamp
            copied.append(name)
            write_whole(shelf / RECORD, json.dumps(kept, indent=1))
    trained = {str(PurePosixPath(name).parent) for name in wanted} & TRAININGS.keys()
    for name in [name for name in kept if str(PurePosixPath(name).parent) in trained and name not in wanted]:
        del kept[name]
        write_whole(shelf / RECORD, json.dumps(kept, indent=1))
        (shelf / name).unlink(missing_ok=True)
    return copied


def restore(shelf: str | Path, work: str | Path) -> list[str]:
    """Copy from the shelf what the work folder lacks; what was copied.

    A file that is not as large as the record says is left out, with a warning. Raises OSError.
    """
    shelf, work, copied = Path(shelf), Path(work), []
    for name, (size, changed) in _record(shelf).items():
        if (work / name).exists():
            continue
        if not (shelf / name).is_file() or (shelf / name).stat().st_size != size:
            log.warning("%s is not whole and is left out.", shelf / name)
            continue
        _copy(shelf / name, work / name)
        os.utime(work / name, ns=(changed, changed))  # so that it counts as kept
        copied.append(name)
    return copied


def keeping(steps: "Iterable[Step]", work: str | Path, shelf: str | Path | None) -> "Iterator[Step]":
    """The steps of a training; whatever it saves goes to the shelf too (None: nowhere).

    A shelf that fails for a moment does not stop the training: it is tried again at the next saving, and at the end,
    where it raises OSError.
    """
    try:
        for step in steps:
            if step.saved and shelf:
                try:
                    keep(work, shelf)
                except OSError as error:
                    log.warning("Not kept for now: %s", error)
            yield step
    finally:
        steps.close()  # saves what was made since the last saving
        if shelf:
            keep(work, shelf)


def make_room(train: "Callable[..., Iterator[Step]]", work: str | Path, shelf: str | Path | None) -> str | None:
    """Put a stored training aside if `train(max_steps=…)` can not go on from it; a sentence on that, None if it can.

    Here and on the shelf its folder gets a number: nothing is deleted, and a new training may begin. Raises OSError,
    and what the training raises.
    """
    from svcnb.training.state import ResumeError

    try:
        list(train(max_steps=0))  # everything but steps
    except ResumeError as error:
        name, new = _put_aside(error.folder, Path(work), shelf and Path(shelf))
        return f"The training before does not fit ({error.why}): it is kept in {new}, and in {name} a new one begins."


def _put_aside(folder: Path, work: Path, shelf: Path | None) -> tuple[str, str]:
    """Rename a folder of the work folder, and its like on the shelf; both names. The shelf restores it no more."""
    name, places = folder.relative_to(work).as_posix(), [place for place in (shelf, work) if place]
    free = (f"{name}-{n}" for n in count(1))
    new = next(one for one in free if not any((place / one).exists() for place in places))
    for place in places:
        if (place / name).exists():
            (place / name).rename(place / new)
    if shelf:
        kept = {file: stamp for file, stamp in _record(shelf).items() if not file.startswith(f"{name}/")}
        write_whole(shelf / RECORD, json.dumps(kept, indent=1))
    return name, new


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as part:
        shutil.copyfile(source, part)
        if part.stat().st_size != source.stat().st_size:
            raise OSError(errno.EIO, "the copy is not as long as the file; look whether there is room, and run again")


def _record(shelf: Path) -> dict[str, list[int]]:
    """Size and time of change by name of what is on the shelf; an unreadable record counts as none."""
    try:
        kept = json.loads((shelf / RECORD).read_text(encoding="utf-8"))
        return {name: [int(size), int(changed)] for name, (size, changed) in kept.items() if _inside(name)}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        log.warning("%s can not be read; everything is copied anew.", shelf / RECORD)
        return {}


def _inside(name: str) -> bool:
    """Whether a name stays within its folder, on any system."""
    return not PurePosixPath(name).is_absolute() and not {"..", "\\", ":"} & {*PurePosixPath(name).parts, *name}


def _stamp(path: Path) -> list[int]:
    return [path.stat().st_size, path.stat().st_mtime_ns]
