"""Recordings come from zip files and folders as people have them."""

import os
import zipfile

import pytest

from svcnb.prepare.gather import gather
from svcnb.prepare.scan import DataError


def zipped(path, names, date=(2020, 5, 17, 12, 0, 0)):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, date), f"sound of {name}")
    return path


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_zip_file_with_what_systems_put_into_it(tmp_path):
    path = zipped(tmp_path / "a.zip", [
        "takes/one.wav", "takes/two.MP3", "__MACOSX/takes/._one.wav", ".DS_Store", "notes.txt", "takes/",
        "win\\three.flac",
    ])  # fmt: skip
    assert gather(path, tmp_path / "raw") == 3
    assert names(tmp_path / "raw") == ["takes/one.wav", "takes/two.MP3", "win/three.flac"]
    assert (tmp_path / "raw/takes/one.wav").read_text() == "sound of takes/one.wav"


def test_nothing_lands_outside(tmp_path):
    path = zipped(tmp_path / "a.zip", ["../out.wav", "/etc/in.wav", "a/../../out.wav", "..\\out.wav", "fine.wav"])
    assert gather(path, tmp_path / "x/raw") == 2
    assert names(tmp_path / "x") == ["raw/etc/in.wav", "raw/fine.wav"]
    assert not (tmp_path / "out.wav").exists()


def test_times_stay_so_that_nothing_is_prepared_twice(tmp_path):
    path = zipped(tmp_path / "a.zip", ["one.wav"])
    times = []
    for raw in ("here", "there"):
        gather(path, tmp_path / raw)
        times.append((tmp_path / raw / "one.wav").stat().st_mtime_ns)
    assert times[0] == times[1]
    (tmp_path / "here/one.wav").chmod(0o444)
    assert gather(path, tmp_path / "here") == 1


def test_a_folder_and_then_another(tmp_path):
    for name in ("first/a.wav", "first/deep/b.flac", "second/a.wav", "second/readme.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1e9, 1e9 + len(name)))
    assert gather(tmp_path / "first", tmp_path / "raw") == 2
    assert gather(tmp_path / "second", tmp_path / "raw") == 1
    assert names(tmp_path / "raw") == ["a.wav"] and (tmp_path / "raw/a.wav").read_text() == "second/a.wav"
    assert gather(tmp_path / "first/deep/b.flac", tmp_path / "raw") == 1
    assert names(tmp_path / "raw") == ["b.flac"]


@pytest.mark.parametrize("source", ["empty", "text.zip", "notes.txt"])
def test_no_sound_is_said(tmp_path, source):
    (tmp_path / "empty").mkdir()
    zipped(tmp_path / "text.zip", ["a.txt"])
    (tmp_path / "notes.txt").write_text("la")
    with pytest.raises(DataError, match="There are no sound files in"):
        gather(tmp_path / source, tmp_path / "raw")
