"""Finding the recordings of every speaker, and naming what will be made of them.

Notebook: 01_data
"""

import re
from pathlib import Path

Problems = list[tuple[str, str]]  # file, and why it is not used
SUFFIXES = {".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff", ".opus", ".au", ".caf", ".w64", ".rf64"} | {
    ".m4a", ".aac", ".wma", ".mp4", ".webm", ".mka", ".m4b", ".ac3", ".amr", ".ape", ".wv",
}  # the second row needs ffmpeg  # fmt: skip
LONGEST_NAME = 60  # characters; a file name may have 255 bytes, and a character up to four


class DataError(ValueError):
    """There is nothing to learn from; the message says what is missing."""


def find_recordings(raw: Path) -> tuple[list[str], Problems]:
    """Sound files below raw/<speaker>/ as sorted paths relative to `raw`, and what was passed over, with the reason.

    Raises DataError when there are none.
    """
    if not raw.is_dir():
        raise DataError(f"There is no folder {raw}; make {raw}/<name of a speaker>/ and put recordings into it.")
    found: list[str] = []
    skipped = []
    for entry in sorted(raw.iterdir()):
        if is_hidden(entry.name):
            continue
        if entry.is_dir():
            recordings, unnamed = _of_speaker(raw, entry)
            found += recordings
            skipped += unnamed
            if not recordings and not unnamed:
                skipped.append((entry.name, f"The folder {entry} has no sound files; put recordings into it."))
        elif _is_sound(entry):
            skipped.append((entry.name, f"{entry} belongs to no speaker; move it into {raw}/<name of the speaker>/."))
    if not found:
        reasons = " ".join(reason for _, reason in skipped[:3])
        raise DataError(reasons or f"{raw} is empty; make {raw}/<name of a speaker>/ and put recordings into it.")
    return found, skipped


def _of_speaker(raw: Path, folder: Path) -> tuple[list[str], Problems]:
    found, skipped = [], []
    for path in sorted(folder.rglob("*")):
        source = path.relative_to(raw).as_posix()
        if not path.is_file() or not _is_sound(path) or any(map(is_hidden, path.relative_to(raw).parts)):
            continue
        if _writable(source) and not re.search(r"[|\n\r]", folder.name):  # lists have a path a line, and | in columns
            found.append(source)
        else:
            shown = source.encode("utf-8", "replace").decode()
            skipped.append((shown, f"The name of {shown} holds characters that lists of files cannot; rename it."))
    return found, skipped


def _writable(name: str) -> bool:
    """Whether a name is text: one from an old archive in another encoding is not."""
    try:
        return bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the system's rather than the person's."""
    return name.startswith(".") or name == "__MACOSX"


def clip_names(recordings: list[str], known: dict[str, str]) -> dict[str, str]:
    """A name for the clips of each recording, unique for its speaker; recordings that have one (`known`) keep it."""
    names = {source: known[source] for source in recordings if source in known}
    taken = {(speaker_of(source), name.casefold()) for source, name in names.items()}
    for source in recordings:
        if source in names:
            continue
        plain = _plain("_".join(Path(source).with_suffix("").parts[1:]))
        name, number = plain, 1
        while (speaker_of(source), name.casefold()) in taken:
            number += 1
            name = f"{plain}-{number}"
        names[source] = name
        taken.add((speaker_of(source), name.casefold()))
    return names


def speaker_of(source: str) -> str:
    """The speaker of a path relative to the raw folder."""
    return source.split("/", 1)[0]


def _plain(name: str) -> str:
    """Letters of any script, digits, dot, hyphen; the rest becomes _, for file lists divide their columns with |."""
    return re.sub(r"[^\w.-]+", "_", name)[:LONGEST_NAME].strip("._") or "clip"
