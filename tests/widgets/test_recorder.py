"""The Python half of Recorder: parts become a file, what is no sound is refused, nothing is overwritten."""

import base64

import numpy as np
import pytest
import soundfile

from svcnb.widgets import Recorder

RATE = 8000


def wav(tmp_path, peak=0.5) -> bytes:
    soundfile.write(tmp_path / "source.wav", peak * np.sin(np.arange(RATE) / 3), RATE)
    return (tmp_path / "source.wav").read_bytes()


def send(recorder, name, content, parts=3):
    size = -(-len(content) // parts)
    for part in range(parts):
        data = base64.b64encode(content[part * size : (part + 1) * size]).decode()
        recorder._heed(recorder, {"do": "take", "name": name, "part": part, "of": parts, "data": data}, [])


def test_parts_become_a_file(tmp_path):
    recorder, content = Recorder(tmp_path / "raw/me"), wav(tmp_path)
    assert recorder.takes == [] == recorder.kept
    send(recorder, "take.wav", content)
    assert recorder.said == "Kept as take.wav: 1.0 s."
    assert (tmp_path / "raw/me/take.wav").read_bytes() == content
    send(recorder, "take.wav", content, parts=1)
    assert recorder.kept == ["take-2.wav", "take.wav"] and len(recorder.takes) == 2
    assert Recorder(tmp_path / "raw/me").kept == recorder.kept, "also in a new session"


@pytest.mark.parametrize(("peak", "advice"), [(1.0, "too loud"), (0.01, "very quiet")])
def test_a_bad_level_is_said(tmp_path, peak, advice):
    recorder = Recorder(tmp_path / "me")
    send(recorder, "take.wav", wav(tmp_path, peak))
    assert advice in recorder.said and recorder.kept == ["take.wav"]


def test_a_lost_part_is_said_and_nothing_is_kept(tmp_path):
    recorder, content = Recorder(tmp_path / "me"), wav(tmp_path)
    for part in (0, 2):
        recorder._heed(recorder, {"do": "take", "name": "a.wav", "part": part, "of": 3, "data": ""}, [])
    assert "was lost on the way" in recorder.said and recorder.kept == []
    recorder._heed(recorder, {"do": "take", "name": "a.wav", "part": 0, "of": 1, "data": "no base64!"}, [])
    assert "was damaged on the way" in recorder.said and recorder.kept == []
    send(recorder, "a.wav", content)
    assert recorder.kept == ["a.wav"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [("song.txt", b"la", "no sound file"), ("song.wav", b"la la la", "song.wav is not kept")],
)
def test_what_is_no_sound_is_refused(tmp_path, name, content, sentence):
    recorder = Recorder(tmp_path / "me")
    send(recorder, name, content)
    assert sentence in recorder.said
    assert not [*(tmp_path / "me").glob("*")]


@pytest.mark.parametrize("name", ["../up.wav", "/up.wav", "..\\up.wav", "a/b/up.wav"])
def test_files_stay_in_the_folder(tmp_path, name):
    recorder = Recorder(tmp_path / "raw/me")
    send(recorder, name, wav(tmp_path))
    assert recorder.takes == [tmp_path / "raw/me/up.wav"]
