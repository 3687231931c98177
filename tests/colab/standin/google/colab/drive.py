"""Drive is a folder here."""

from pathlib import Path

from google.colab import asked


def mount(mountpoint: str, force_remount: bool = False, timeout_ms: int = 120000, readonly: bool = False) -> None:
    asked.append(("drive.mount", mountpoint))
    Path(mountpoint, "MyDrive").mkdir(parents=True, exist_ok=True)


def flush_and_unmount(timeout_ms: int = 24 * 60 * 60 * 1000) -> None:
    asked.append(("drive.flush_and_unmount",))
