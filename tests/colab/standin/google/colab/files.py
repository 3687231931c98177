"""`chosen` is what the person picks in the dialog: name and content of each file; nothing is a cancelled dialog."""

from pathlib import Path

from google.colab import asked

chosen: dict[str, bytes] = {}


def upload(target_dir: str = "") -> dict[str, bytes]:
    asked.append(("files.upload", target_dir))
    return _written(target_dir)


def upload_file(filename: str) -> None:
    asked.append(("files.upload_file", filename))
    for content in chosen.values():
        Path(filename).write_bytes(content)


def download(filename: str) -> None:
    if not Path(filename).exists():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    asked.append(("files.download", str(filename)))


def _written(folder: str) -> dict[str, bytes]:
    for name, content in chosen.items():
        Path(folder, name).write_bytes(content)
    return dict(chosen)
