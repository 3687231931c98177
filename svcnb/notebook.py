"""What only notebooks need: the workspace, figures with a text for those who can not see them, players, checks.

Fast mode (`SVCNB_FAST=1`) is how the tests run the notebooks: less of everything, in a folder that is thrown away.
"""

import base64
import html
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

    from svcnb.training import Step

IN_COLAB = "google.colab" in sys.modules
FAST = os.environ.get("SVCNB_FAST", "") not in ("", "0")
_thrown_away = tempfile.TemporaryDirectory(prefix="svcnb-") if FAST else None  # deleted when the kernel ends
MOUNT = Path(_thrown_away.name, "drive") if FAST else Path("/content/drive")  # where Colab puts Google Drive


def setup(folder: str | Path | None = None) -> Path:
    """Make the workspace and say where it is; the notebooks leave there what the next one needs.

    folder: None takes ./svcnb-work, on Colab /content/svcnb-work, with what an earlier session left on Drive.
    """
    place = _thrown_away.name if FAST else "/content/svcnb-work" if IN_COLAB else "svcnb-work"
    work = Path(folder or place).resolve()
    work.mkdir(parents=True, exist_ok=True)
    if shelf():
        from svcnb import drive

        print(f"{len(drive.restore(shelf(), work))} files came from Drive, where finished work is kept")
    print(f"Ready: {'fast mode' if FAST else 'your work is kept in ' + str(work)}")
    return work


def shelf() -> Path | None:
    """The folder on Drive for the course's finished work; None where Drive is not mounted."""
    return MOUNT / "MyDrive/svcnb/course" if (MOUNT / "MyDrive").is_dir() else None


def make_room(train: "Callable[..., Iterator[Step]]", work: Path) -> None:
    """Put aside, here and on Drive, a training that `train(max_steps=…)` can not go on with, and say so.

    Raises OSError, and what the training raises.
    """
    from svcnb import drive

    if moved := drive.make_room(train, work, shelf()):
        print(moved)


def kept(steps: "Iterator[Step]", work: Path) -> "Iterator[Step]":
    """The steps of a training, whose voice and state are kept on Drive too, where that is mounted. Raises OSError."""
    from svcnb import drive

    return drive.keeping(steps, work, shelf())


def keep(work: Path) -> None:
    """Copy to Drive what is finished, where that is mounted, and say so. Raises OSError."""
    from svcnb import drive

    if shelf():
        print(f"{len(drive.keep(work, shelf()))} files more are kept on Drive")


def choose_recordings(work: Path, folder: str, singers: list[str], songs: list[str]) -> Path:
    """The folder of recordings from now on: the named one, else what was recorded here, else the lesson's songs."""
    from svcnb.files import write_whole

    note = work / "recordings.txt"
    note.unlink(missing_ok=True)
    if folder:
        write_whole(note, str(Path(folder).resolve()))
    elif not any((work / "raw").glob("*/*")):
        _stand_in(work / "stand-in", singers, songs)
    return recordings(work)


def _stand_in(folder: Path, singers: list[str], songs: list[str]) -> None:
    """Let the folder hold these songs of the lesson singers and no others; what is there already stays as it is."""
    from svcnb import lesson

    if {path.relative_to(folder) for path in folder.glob("*/*.wav")} != {
        Path(singer, f"{song}.wav") for singer in singers for song in songs
    }:
        shutil.rmtree(folder, ignore_errors=True)
        lesson.write_songs(folder, singers, songs)


def recordings(work: Path) -> Path:
    """The folder of recordings that notebook 01 chose; where it was left out, lena of the lesson singers stands in."""
    from svcnb.lesson import NEWCOMER

    note, own, stand_in = work / "recordings.txt", work / "raw", work / "stand-in"
    if note.exists():
        return Path(note.read_text(encoding="utf-8"))
    if any(own.glob("*/*")):
        return own
    if not stand_in.exists():
        _stand_in(stand_in, [NEWCOMER], ["kitchen"] if FAST else ["kitchen", "grace"])
    return stand_in


def mount_drive() -> Path:
    """Ask Colab for the person's Google Drive; the folder of its files."""
    from google.colab import drive

    drive.mount(str(MOUNT))
    return MOUNT / "MyDrive"


def upload() -> dict[str, bytes]:
    """Let the person choose files in Colab's dialog: name and content of each; none when it was cancelled."""
    from google.colab import files

    with tempfile.TemporaryDirectory() as folder:  # Colab writes them somewhere too
        return files.upload(target_dir=folder)


def check(name: str, ok: bool, hint: str = "") -> None:
    """Print ✓ or ✗ and the hint; it informs and never stops the notebook."""
    print(f"✓ {name}" if ok else f"✗ {name}{': ' + hint if hint else ''}")


class Html:
    """Markup for a cell's output, and the text that stands for it elsewhere."""

    def __init__(self, markup: str, text: str):
        self.markup, self.text = markup, text

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.text


def show(figure: "Figure", alt: str, caption: str = "") -> Html:
    """A figure as a cell's last value, small enough to be stored; `alt` says in words what it shows."""
    import matplotlib.pyplot as plt

    picture = io.BytesIO()
    figure.savefig(picture, format="webp", dpi=90, bbox_inches="tight", pil_kwargs={"quality": 50})
    plt.close(figure)  # else the inline backend draws it a second time
    source = "data:image/webp;base64," + base64.b64encode(picture.getvalue()).decode()
    image = f'<img src="{source}" alt="{html.escape(alt)}" style="max-width:100%">'
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return Html(f'<figure style="margin:0">{image}{below}</figure>', f"[figure: {alt}]")


def compare(takes: dict[str, np.ndarray], sample_rate: int) -> Html:
    """A table of players, one for each named sound (N,) with values from -1 to 1."""
    rows = "".join(_player(html.escape(name), np.asarray(wav), sample_rate) for name, wav in takes.items())
    return Html(f"<table>{rows}</table>", f"[players: {', '.join(takes)}]")


def _player(name: str, wav: np.ndarray, sample_rate: int) -> str:
    source = _address(wav, sample_rate)
    return (
        f'<tr><th scope="row" style="text-align:left">{name}</th>'
        f'<td><audio controls aria-label="{name}" src="{source}"></audio></td>'
        f"<td>{len(wav) / sample_rate:.1f} s</td></tr>"
    )


def _address(wav: np.ndarray, sample_rate: int) -> str:
    """A sound as an address that holds a whole 16-bit wav file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(wav, -1, 1), sample_rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
