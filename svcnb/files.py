"""Files that are either whole or not there: everything is written beside its place and then moved into it.

Notebook: 01_data
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LITTLE = 1 << 20  # bytes on a disk that is full


class BusyError(ValueError):
    """Another process does the same work in the same folder."""


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Write a file so that a reader, or an interruption, never meets half of it; text is written as UTF-8.

    Folders on the way are made. Raises OSError with a sentence on what to do, and leaves no partial file behind.
    """
    with whole_file(path) as part:
        part.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A place beside `path` to write a file to; it moves to `path` when the block ends and goes when the block fails.

    Folders on the way are made. Of two processes that write one file at once, the last to end has its way. Raises
    OSError with a sentence on what to do.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()  # says why where it can not be written, which not every library does
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        if (
            isinstance(error, RuntimeError) and shutil.disk_usage(part.parent).free < LITTLE
        ):  # what torch.save says then
            error = OSError(errno.ENOSPC, "")
        _discard(part)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"{path} could not be written: {_advice(error)}") from None
        raise


@contextmanager
def alone_in(folder: str | Path, work: str) -> Iterator[None]:
    """Inside, no other process may do this work in this folder. Raises BusyError where one does already, OSError."""
    from filelock import FileLock, Timeout

    folder = Path(folder)
    lock = FileLock(folder / f"{work}.lock", timeout=0)  # the system opens it when the process dies
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BusyError(f"Another {work} is at work in {folder}: stop it first, or use a folder of its own.") from None
    except OSError as error:
        raise OSError(error.errno, f"{folder} can not be worked in: {_advice(error)}") from None
    try:
        yield
    finally:
        lock.release()


def remove_parts(folder: str | Path) -> None:
    """Remove what killed processes left of files in a folder; for who is alone in it."""
    for part in Path(folder).glob("*.part"):
        _discard(part)


def _discard(part: Path) -> None:
    with contextlib.suppress(OSError):  # the folder itself may be the trouble
        part.unlink(missing_ok=True)


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and run again, what is done is kept"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder may not be written to; choose another one or change its permissions"
    return error.strerror or str(error)
