"""The quickstart's forms in Colab: dialogs, Drive, and a session that was lost."""

import io
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from svcnb import lesson, quickstart
from svcnb.quickstart import Voice


def zipped(*names) -> bytes:
    """A zip file of short recordings."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            sound = io.BytesIO()
            soundfile.write(sound, 0.1 * np.sin(np.arange(8000) / 9), 8000, format="WAV")
            archive.writestr(name, sound.getvalue())
    return file.getvalue()


def test_drive_is_asked_for_and_takes_what_was_uploaded(colab, tmp_path, capsys):
    colab.files.chosen.update({"anna.zip": zipped("one.wav", "two.wav")})
    voice = Voice(tmp_path / "work", "anna")
    voice.recordings()
    assert [what for what, *_ in colab.asked] == ["drive.mount", "files.upload"]
    assert (tmp_path / "drive/MyDrive/svcnb/anna-lesson/uploads/recordings/anna.zip").exists()
    assert (tmp_path / "work/anna-lesson/raw/anna/two.wav").exists()
    assert "2 recordings from anna.zip" in capsys.readouterr().out


def test_a_lost_session_asks_for_nothing_again(colab, tmp_path, capsys):
    colab.files.chosen.update({"anna.zip": zipped("one.wav")})
    Voice(tmp_path / "work", "anna").recordings()
    shutil.rmtree(tmp_path / "work")
    colab.asked.clear()
    voice = Voice(tmp_path / "work", "anna")
    voice.recordings()
    assert [what for what, *_ in colab.asked] == ["drive.mount"]
    assert "1 files came from there" in capsys.readouterr().out
    assert (tmp_path / "work/anna-lesson/raw/anna/one.wav").exists()


def test_files_on_drive_are_found_as_colab_names_them(colab, tmp_path):
    place = tmp_path / "drive/MyDrive/takes/anna.zip"
    place.parent.mkdir(parents=True)
    place.write_bytes(zipped("one.wav"))
    voice = Voice(tmp_path / "work", "anna", kept=False)
    for name in ("MyDrive/takes/anna.zip", "takes/anna.zip", str(place)):
        assert voice.given(name, "recordings") == place
    with pytest.raises(FileNotFoundError, match=r"There is no takes/ben\.zip on Drive or here"):
        voice.recordings("takes/ben.zip")
    assert colab.asked == [], "Drive is left alone where nothing is to be kept"


def test_a_cancelled_dialog_leaves_a_lesson_singer(colab, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lesson, "write_songs", lambda folder, *_: voice_of(folder))
    Voice(tmp_path / "work", "anna").recordings()
    assert f"{lesson.NEWCOMER} of the lesson singers stands in" in capsys.readouterr().out


def voice_of(folder):
    (folder / "lena").mkdir(parents=True)
    soundfile.write(folder / "lena/song.wav", np.zeros(800), 8000)


def test_training_keeps_what_it_saves_on_drive(colab, tmp_path, monkeypatch, capsys):
    voice = Voice(tmp_path / "work", "anna")
    logs = voice.work / "logs/44k"
    logs.mkdir(parents=True)

    def training(work, config, base, max_steps):
        assert base == "a base"
        if max_steps is None:  # not just asked whether it could go on
            (logs / "state.pt").write_text("state")
            yield step(logs / "G_100.safetensors")

    monkeypatch.setattr(quickstart, "train_sovits", training)
    monkeypatch.setattr(
        quickstart, "beginning", lambda _: (SimpleNamespace(data=SimpleNamespace(sampling_rate=44100)), "a base")
    )
    voice.train(minutes=1)
    kept = tmp_path / "drive/MyDrive/svcnb/anna-lesson/logs/44k"
    assert {path.name for path in kept.iterdir()} == {"G_100.safetensors", "state.pt"}
    assert "Finished after step 100." in capsys.readouterr().out


def step(path):
    from svcnb.training import Step

    path.write_text("voice")
    return Step(100, 1, {"mel": 1.0}, {}, 1e-4, 0.1, None, saved=path)


def test_the_song_goes_to_the_browser(colab, tmp_path):
    voice = Voice(tmp_path / "work", "anna", kept=False)
    (voice.work / "songs").mkdir(parents=True)
    (voice.work / "songs/row-anna.flac").write_text("a song")
    voice.download()
    assert colab.asked == [("files.download", str(voice.work / "songs/row-anna.flac"))]


@pytest.mark.parametrize(("name", "size"), [("an/na", "lesson"), ("", "full"), ("anna", "huge")])
def test_names_that_are_no_folders_are_refused(tmp_path, name, size):
    with pytest.raises(ValueError, match="A voice"):
        Voice(tmp_path, name, size, kept=False)


def test_no_song_without_a_voice(tmp_path):
    voice = Voice(tmp_path, "anna", kept=False)
    with pytest.raises(ValueError, match="run the forms above first"):
        voice.convert()
    with pytest.raises(ValueError, match="There is no song yet"):
        voice.download()
