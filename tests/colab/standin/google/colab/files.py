"""`chosen` is what the person picks in the dialog: name and content of each file; nothing is a cancelled dialog."""

from pathlib import Path

from google.colab import asked

chosen: dict[str, bytes] = {}


def upload(target_dir: str = "") -> dict[str, bytes]:
    asked.append(("files.upload", target_dir))
    for name, content in chosen.items():
        Path(target_dir, name).write_bytes(content)
    return dict(chosen)


def download(filename: str) -> None:
    if not Path(filename).exists():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    asked.append(("files.download", str(filename)))
