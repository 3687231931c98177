"""Files appear whole or not at all, and what goes wrong is said."""

import pytest

from svcnb.files import whole_file, write_whole


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


def test_two_at_once_are_told_so(tmp_path):
    said = "a could not be written: another process wrote it at the same moment"
    with pytest.raises(OSError, match=said), whole_file(tmp_path / "a") as part:
        part.write_bytes(b"one")
        write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match="could not be written"):
        write_whole(tmp_path / "a/b", b"")
