"""Downloads that arrive whole or not at all: resumed where they broke off, verified, and moved into place at the end.

Notebook: 02_features
"""

import contextlib
import errno
import hashlib
import http.client
import logging
import os
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all (0: not known)
BLOCK = 1 << 20
TIMEOUT = 20  # seconds of silence after which a connection counts as dead
IDLE_ATTEMPTS = 2  # in a row that bring nothing, after which a source is given up
_NETWORK = (OSError, http.client.HTTPException)
log = logging.getLogger(__name__)


class DownloadError(OSError):
    """A file could not be had; the message says why and what to do by hand."""


class _Broken(Exception):
    """One attempt failed; what came so far is kept, and another attempt may go on from there."""


class _Wrong(Exception):
    """The source has something else than it should; nothing of it is kept."""


@dataclass(frozen=True)
class _Wanted:
    """What is known of the content."""

    sha256: str | None
    size: int | None


def download(
    urls: Sequence[str],
    path: str | Path,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch a file from the first of several sources that has it, into `path`; what is verified there is kept.

    Beside it lies `<path>.part` until all of it has come; a later call goes on from there. Raises DownloadError.
    """
    path, wanted, reasons = Path(path), _Wanted(sha256, size), []
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            if reason := _complete(url, part, wanted, progress):
                reasons.append(f"{_host(url)}: {reason}")
            else:
                os.replace(part, path)
                _drop(part)
                return path
    except OSError as error:
        advice = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise DownloadError(f"{path} can not be written: {advice}") from None
    raise DownloadError("; ".join(reasons))


def extract(archive: str | Path, members: dict[str, Path]) -> None:
    """Take files out of a zip archive, each whole or not at all; members: where each goes, by its name or path's end.

    Raises DownloadError when one is not in it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for wanted, path in members.items():
                names = [name for name in opened.namelist() if f"/{name}".endswith(f"/{wanted}")]
                if not names:
                    raise DownloadError(f"{archive} has no {wanted} in it")
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(path.name + ".part")
                with opened.open(min(names, key=len)) as source, open(part, "wb") as target:
                    while block := source.read(BLOCK):
                        target.write(block)
                os.replace(part, path)
    except zipfile.BadZipFile:
        raise DownloadError(f"{archive} is no zip archive") from None


def _complete(url: str, part: Path, wanted: _Wanted, progress: Progress | None) -> str:
    """Complete and verify a partial file; returns why that failed, if it did."""
    while True:
        resumed = _size(part) > 0
        try:
            _fetch(url, part, wanted, progress)
            _verify(part, wanted)
            return ""
        except _Broken as error:
            return str(error)
        except _Wrong as error:
            _drop(part)
            if not resumed:  # else what was there before may be to blame: once more from the beginning
                return str(error)


def _fetch(url: str, part: Path, wanted: _Wanted, progress: Progress | None) -> None:
    """Attempts that each go on where the last one ended, until the file is complete or they bring nothing new."""
    idle = 0
    while True:
        before = _size(part)
        try:
            return _attempt(url, part, wanted, progress)
        except _Broken as error:
            idle = 0 if _size(part) > before else idle + 1
            log.info("%s: %s", url, error)
            if idle >= IDLE_ATTEMPTS:
                raise


def _attempt(url: str, part: Path, wanted: _Wanted, progress: Progress | None) -> None:
    have = _size(part)
    if have and have == wanted.size:
        return
    headers = {"User-Agent": "svcnb", **_resume(part, wanted)}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing comes after what we have: it is of another file
            _drop(part)
        raise _Broken(f"the server says {error.code} {error.reason}") from None
    except (*_NETWORK, ValueError) as error:
        raise _Broken(_plain(error)) from None
    with contextlib.closing(response):
        start, total = _extent(response, have)
        if response.headers.get_content_type() == "text/html":
            raise _Wrong("a web page came instead of the file")
        if wanted.size not in (None, total or wanted.size):
            raise _Wrong(f"the file there has {total} bytes, not {wanted.size}")
        if not (total or wanted.size or wanted.sha256):
            raise _Wrong("it does not say how long the file is, so half of it could pass for the whole")
        if not start:
            _tag(part).write_text(response.headers.get("ETag") or "")
        _receive(response, part, start, total or wanted.size or 0, progress)


def _resume(part: Path, wanted: _Wanted) -> dict[str, str]:
    """Headers that ask for the rest of a file: where no checksum will tell, only if it is still the same file."""
    have, tag = _size(part), _tag(part)
    if have and wanted.sha256:
        return {"Range": f"bytes={have}-"}
    if have and tag.exists() and (etag := tag.read_text()):
        return {"Range": f"bytes={have}-", "If-Range": etag}
    return {}


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    """Where the server's name for the version of a partial file is kept."""
    return part.with_name(part.name + ".etag")


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    """Where the answer begins in the file, and how long the file is (0: not said)."""
    if response.status == 206:
        match = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if match and int(match[1]) == have:
            return have, int(match[2])
        raise _Wrong("it answered with another part of the file")
    return 0, int(response.headers.get("Content-Length") or 0)


def _receive(response: http.client.HTTPResponse, part: Path, start: int, total: int, progress: Progress | None) -> None:
    done = start
    with open(part, "r+b" if start else "wb") as file:
        file.seek(start)
        while True:
            try:
                block = response.read1(BLOCK)
            except _NETWORK as error:
                raise _Broken(_plain(error)) from None
            if not block:
                break
            file.write(block)
            done += len(block)
            if total and done > total:
                raise _Wrong(f"more came than the {total} bytes that it should have")
            if progress:
                progress(done, total)
        os.fsync(file.fileno())
    if done < total:
        raise _Broken(f"the connection ended after {done} of {total} bytes")


def _verify(part: Path, wanted: _Wanted) -> None:
    found = _size(part)
    if not found or found != (wanted.size or found):
        raise _Wrong(f"{found} bytes came, not {wanted.size or 'a file'}")
    if wanted.sha256 is not None:
        digest = hashlib.sha256()
        with open(part, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != wanted.sha256:
            raise _Wrong("the content is not what it should be (its checksum differs)")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _host(url: str) -> str:
    return urllib.request.urlparse(url).netloc or url


def _plain(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"no answer for {TIMEOUT} seconds"
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__).splitlines()[0]
