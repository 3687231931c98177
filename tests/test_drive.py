"""The shelf holds whole files and the newest voice, and a fresh machine goes on from it."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest

from svcnb import drive
from svcnb.training.state import ResumeError


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    for name, text in {
        "uploads/recordings/anna.zip": "recordings",
        "songs/row.flac": "a song",
        "songs/half.flac.part": "half a song",
        "logs/44k/G_100.safetensors": "voice after 100",
        "logs/44k/G_200.safetensors": "voice after 200",
        "logs/44k/D_200.safetensors": "critic",
        "logs/44k/state.pt": "state after 200",
        "logs/44k/config.json": "{}",
        "logs/44k/diffusion/model_4.pt": "a diffusion model after 4",
        "logs/44k/diffusion/model_8.pt": "a diffusion model after 8",
        "logs/44k/diffusion/state.pt": "its state",
        "logs/44k/diffusion/config.yaml": "its settings",
        "logs/44k/vocoder/G_50.safetensors": "a vocoder after 50",
        "logs/44k/vocoder/D_50.safetensors": "its critics",
        "logs/44k/vocoder/state.pt": "its state",
        "recordings.txt": "/where/they/lie",
        "exported/voice.json": "about it",
        "dataset/44k/anna/a.wav": "a clip, which can be made again",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "drive/MyDrive/anna"


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


KEPT = {
    "uploads/recordings/anna.zip", "songs/row.flac", "logs/44k/G_200.safetensors", "logs/44k/state.pt",
    "logs/44k/config.json", "logs/44k/diffusion/model_8.pt", "logs/44k/diffusion/state.pt",
    "logs/44k/diffusion/config.yaml", "logs/44k/vocoder/G_50.safetensors", "logs/44k/vocoder/state.pt",
    "recordings.txt", "exported/voice.json",
}  # fmt: skip


def test_only_finished_files_are_kept(work, shelf):
    assert set(drive.keep(work, shelf)) == KEPT
    assert names(shelf) == KEPT | {"kept.json"}
    assert drive.keep(work, shelf) == [], "nothing is copied twice"


def test_a_newer_voice_takes_the_place_of_the_older(work, shelf):
    drive.keep(work, shelf)
    (work / "logs/44k/G_300.safetensors").write_text("voice after 300")
    (work / "logs/44k/state.pt").write_text("state after 300")  # as large as before
    assert set(drive.keep(work, shelf)) == {"logs/44k/G_300.safetensors", "logs/44k/state.pt"}
    assert names(shelf) == KEPT - {"logs/44k/G_200.safetensors"} | {"logs/44k/G_300.safetensors", "kept.json"}
    assert (shelf / "logs/44k/state.pt").read_text() == "state after 300"


def test_a_training_that_is_not_here_stays_on_the_shelf(work, shelf, tmp_path):
    drive.keep(work, shelf)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(work / "logs/44k/diffusion", elsewhere / "logs/44k/diffusion")
    (elsewhere / "logs/44k/diffusion/model_12.pt").write_text("a diffusion model after 12")
    drive.keep(elsewhere, shelf)
    assert "logs/44k/G_200.safetensors" in names(shelf) and "logs/44k/diffusion/model_12.pt" in names(shelf)
    assert "logs/44k/diffusion/model_8.pt" not in names(shelf)


def test_a_fresh_machine_goes_on(work, shelf):
    drive.keep(work, shelf)
    shutil.rmtree(work)
    assert set(drive.restore(shelf, work)) == KEPT == names(work)
    assert (work / "logs/44k/state.pt").read_text() == "state after 200"
    assert drive.restore(shelf, work) == [] == drive.keep(work, shelf), "what came from there is kept already"


def test_what_is_here_is_not_overwritten(work, shelf):
    drive.keep(work, shelf)
    (work / "logs/44k/state.pt").write_text("state after 350")
    assert drive.restore(shelf, work) == []
    assert (work / "logs/44k/state.pt").read_text() == "state after 350"


def test_half_a_file_is_left_out(work, shelf, caplog):
    drive.keep(work, shelf)
    shutil.rmtree(work)
    (shelf / "logs/44k/state.pt").write_text("state af")
    assert set(drive.restore(shelf, work)) == KEPT - {"logs/44k/state.pt"}
    assert "state.pt is not whole" in caplog.text


def test_a_copy_that_fails_leaves_the_one_before(work, shelf, monkeypatch):
    drive.keep(work, shelf)
    (work / "logs/44k/state.pt").write_text("state after 300, longer")
    monkeypatch.setattr(drive.shutil, "copyfile", lambda source, target: target.write_text("sta"))
    with pytest.raises(OSError, match=r"state\.pt could not be written: the copy is not as long"):
        drive.keep(work, shelf)
    monkeypatch.undo()
    assert (shelf / "logs/44k/state.pt").read_text() == "state after 200"
    assert drive.keep(work, shelf) == ["logs/44k/state.pt"]


@pytest.mark.parametrize("record", ["", "[]", '{"a": 1}', "[1, 2]"])
def test_a_damaged_record_counts_as_none(work, shelf, record, caplog):
    shelf.mkdir(parents=True)
    (shelf / "kept.json").write_text(record)
    assert drive.restore(shelf, work) == [] and "can not be read" in caplog.text
    assert set(drive.keep(work, shelf)) == KEPT


@pytest.mark.parametrize("name", ["../away", "/away", "a/../../away", "C:away", "..\\away"])
def test_nothing_is_restored_outside(tmp_path, shelf, name):
    shelf.mkdir(parents=True)
    (shelf.parent / "away").write_text("x")
    (shelf / "kept.json").write_text(json.dumps({name: [1, 0]}))
    assert drive.restore(shelf, tmp_path / "in/work") == []
    assert not (tmp_path / "in").exists()


def step(number, work, saves):
    if saves:
        (work / f"logs/44k/G_{number}.safetensors").write_text(f"voice after {number}")
    return SimpleNamespace(step=number, saved=work / f"logs/44k/G_{number}.safetensors" if saves else None)


def training(work, closed):
    try:
        for number in range(201, 210):
            yield step(number, work, number % 3 == 0)
    finally:
        closed.append(step(299, work, True))


def test_what_a_training_saves_goes_to_the_shelf(work, shelf):
    closed = []
    steps = drive.keeping(training(work, closed), work, shelf)
    for one in steps:
        assert (shelf / f"logs/44k/G_{one.step}.safetensors").exists() == bool(one.saved)
        if one.step == 205:
            break
    steps.close()
    assert closed and (shelf / "logs/44k/G_299.safetensors").exists(), "also what it saves when it is stopped"
    assert [one.step for one in drive.keeping(training(work, []), work, None)] == list(range(201, 210))


def misfit(work, folder):
    def train(max_steps):
        if (work / folder / "state.pt").exists():
            raise ResumeError(work / folder, "the prepared clips are others")
        yield from ()

    return train


@pytest.mark.parametrize("on_drive", [True, False])
def test_a_training_that_does_not_fit_is_put_aside_here_and_there(work, shelf, on_drive):
    drive.keep(work, shelf)
    train, there = misfit(work, "logs/44k"), shelf if on_drive else None
    said = drive.make_room(train, work, there)
    assert said == (
        "The training before does not fit (the prepared clips are others): it is kept in logs/44k-1, and in logs/44k a "
        "new one begins."
    )
    assert drive.make_room(train, work, there) is None, "there is nothing left to put aside"
    for place in (work, shelf) if on_drive else (work,):
        assert not (place / "logs/44k").exists()
        assert (place / "logs/44k-1/G_200.safetensors").read_text() == "voice after 200"
        assert (place / "logs/44k-1/diffusion/model_8.pt").exists(), "what was trained beside it belongs to it"
    if on_drive:
        (work / "logs/44k").mkdir()
        (work / "logs/44k/G_6.safetensors").write_text("another voice")
        drive.keep(work, shelf)
        shutil.rmtree(work)
        drive.restore(shelf, work)
        assert {path.name for path in (work / "logs").rglob("G_*")} == {"G_6.safetensors"}
        assert (shelf / "logs/44k-1/state.pt").read_text() == "state after 200", "and stays there"


def test_a_second_one_gets_a_number_of_its_own(work, shelf):
    for number in (1, 2):
        (work / "logs/44k/diffusion").mkdir(parents=True, exist_ok=True)
        (work / "logs/44k/diffusion/state.pt").write_text(f"state {number}")
        assert f"diffusion-{number}" in drive.make_room(misfit(work, "logs/44k/diffusion"), work, shelf)
        assert (work / f"logs/44k/diffusion-{number}/state.pt").read_text() == f"state {number}"
    assert (work / "logs/44k/G_200.safetensors").exists(), "the voice stays where it is"


def test_a_shelf_that_fails_for_a_moment_stops_no_training(work, shelf, monkeypatch, caplog):
    fails = [True, False]
    keep = drive.keep

    def moody(*where):
        if fails and fails.pop(0):
            raise OSError("Drive is away")
        return keep(*where)

    monkeypatch.setattr(drive, "keep", moody)
    assert len(list(drive.keeping(training(work, []), work, shelf))) == 9
    assert "Not kept for now: Drive is away" in caplog.text
    assert os.path.exists(shelf / "logs/44k/G_299.safetensors")
