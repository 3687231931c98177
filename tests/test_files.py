"""Files appear whole or not at all, and what goes wrong is said."""

import shutil
from types import SimpleNamespace

import pytest

from svcnb.files import BusyError, alone_in, remove_parts, whole_file, write_whole


def test_text_and_bytes_arrive_whole(tmp_path):
    write_whole(tmp_path / "new/folder/größe.txt", "größe")
    assert (tmp_path / "new/folder/größe.txt").read_bytes() == "größe".encode()
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["größe.txt"]


def test_a_failure_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a") as part:
        part.write_bytes(b"new")
        1 / 0  # noqa: B018
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_of_two_at_once_each_writes_its_own_and_the_last_wins(tmp_path):
    with whole_file(tmp_path / "a") as one, open(one, "wb") as file:
        file.write(b"one, the longer of the two, ")
        with whole_file(tmp_path / "a") as two, open(two, "wb") as other:
            other.write(b"two")
        assert (tmp_path / "a").read_bytes() == b"two"
        file.write(b"to its end")
    assert (tmp_path / "a").read_bytes() == b"one, the longer of the two, to its end"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_one_is_alone_in_a_folder(tmp_path):
    with alone_in(tmp_path / "work", "song"):
        with (
            pytest.raises(BusyError, match=r"Another song is at work in .*work: stop it first"),
            alone_in(tmp_path / "work", "song"),
        ):
            pass
        with alone_in(tmp_path / "work", "dance"):
            (tmp_path / "work/a.1.part").write_bytes(b"")
            (tmp_path / "work/a").write_bytes(b"")
            remove_parts(tmp_path / "work")
    with alone_in(tmp_path / "work", "song"):
        pass
    assert {path.name for path in (tmp_path / "work").iterdir()} - {"song.lock", "dance.lock"} == {"a"}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="can not be worked in"), alone_in(tmp_path / "file", "song"):
        pass


def test_a_full_disk_is_named_whatever_the_writer_says_of_it(tmp_path, monkeypatch):
    def fail():
        with whole_file(tmp_path / "a"):
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 94208 vs 94096")

    with pytest.raises(RuntimeError, match="enforce fail"):
        fail()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(OSError, match="a could not be written: the disk is full; free some space and run again"):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match="could not be written"):
        write_whole(tmp_path / "a/b", b"")
