import librosa
import numpy as np
import pytest

from svcnb import audio
from svcnb.prepare.cut import render
from svcnb.prepare.scan import DataError, clip_names, find_recordings
from tests.prepare.conftest import record, silence, voice


def test_a_recording_is_rendered_as_by_the_original(golden):
    data = np.load(golden("features/resample.npz"))
    raw = data["raw_int16"].astype(np.float32) / 32768
    for mode, name in (("peak", "file_int16_skip0"), ("none", "file_int16_skip1")):
        [clip] = render(raw, int(data["raw_sr"]), [(0, len(raw))], 44100, mode)
        assert len(clip) == len(data[name])
        assert np.abs(audio.to_int16(clip).astype(int) - data[name]).max() <= 1


def test_values_beyond_full_scale_are_brought_below_as_by_the_original(golden):
    data = np.load(golden("features/resample.npz"))
    rate, loud = int(data["raw_sr"]), 4 * data["raw_int16"].astype(np.float32) / 32768
    guarded = loud * 0.98 / np.abs(loud).max()
    np.testing.assert_allclose(guarded[::8], data["normalize_peak_x4"], atol=1e-6)
    [clip] = render(loud, rate, [(0, len(loud))], rate, "none")
    np.testing.assert_allclose(clip, librosa.effects.trim(guarded, top_db=40)[0], atol=1e-6)


def test_clips_of_a_recording_keep_their_levels_to_one_another():
    loud, soft = voice(2), 0.1 * voice(2)
    for mode in ("peak", "lufs", "none"):
        a, b = render(np.concatenate([loud, soft]), 44100, [(0, 88200), (88200, 176400)], 44100, mode)
        assert np.abs(a).max() / np.abs(b).max() == pytest.approx(10, rel=0.05), mode
        if mode == "peak":
            assert np.abs(a).max() == 1


def test_clips_are_trimmed():
    wav = np.concatenate([silence(1), voice(2), silence(1)])
    [clip] = render(wav, 44100, [(0, len(wav))], 44100, "peak")
    assert len(clip) / 44100 == pytest.approx(2, abs=0.1)


def test_recordings_are_found_in_any_folder_and_case(tmp_path):
    for name in ("b/x.WAV", "b/sub/deep/y.flac", "a/z.Mp3", "a/.hidden.wav", "a/.trash/q.wav", "a/notes.txt",
                 "a/__MACOSX/z.mp3", ".ipynb_checkpoints/x.wav", "a/truth.npz"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_recordings(tmp_path) == (["a/z.Mp3", "b/sub/deep/y.flac", "b/x.WAV"], [])


def test_what_is_passed_over_is_said(tmp_path):
    record(tmp_path / "alice/a.wav", voice(1))
    record(tmp_path / "loose.wav", voice(1))
    record(tmp_path / "bo|b/a.wav", voice(1))
    (tmp_path / "empty").mkdir()
    found, skipped = find_recordings(tmp_path)
    assert found == ["alice/a.wav"]
    assert [name for name, _ in skipped] == ["bo|b/a.wav", "empty", "loose.wav"]
    assert "rename it" in skipped[0][1] and "no sound files" in skipped[1][1] and "no speaker" in skipped[2][1]


def test_a_name_in_another_encoding_is_passed_over(tmp_path):
    record(tmp_path / "alice/a.wav", voice(1))
    with open(bytes(tmp_path) + b"/alice/\xe9.wav", "wb") as file:
        file.write(b"x")
    found, [(name, reason)] = find_recordings(tmp_path)
    assert found == ["alice/a.wav"] and name.startswith("alice/") and "rename it" in reason


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda raw: None, "There is no folder"),
        (lambda raw: raw.mkdir(), "is empty; make"),
        (lambda raw: record(raw / "a.wav", voice(1)), "belongs to no speaker; move it into"),
        (lambda raw: (raw / "alice").mkdir(parents=True), "has no sound files; put recordings"),
    ],
)
def test_a_folder_without_recordings_is_refused(tmp_path, make, message):
    make(tmp_path / "raw")
    with pytest.raises(DataError, match=message):
        find_recordings(tmp_path / "raw")


def test_names_of_clips_are_plain_unique_and_stay():
    sources = [
        "a/my song (1).wav",
        "a/my_song_1.flac",
        "a/sub/My Song|1.wav",
        "b/my song (1).wav",
        "a/夜 に.wav",
        "a/!.wav",
    ]
    names = clip_names(sources, {})
    assert names["a/my song (1).wav"] == "my_song_1" and names["a/my_song_1.flac"] == "my_song_1-2"
    assert names["b/my song (1).wav"] == "my_song_1" and names["a/夜 に.wav"] == "夜_に" and names["a/!.wav"] == "clip"
    assert names["a/sub/My Song|1.wav"] == "sub_My_Song_1"
    again = clip_names(["a/MY_SONG_1.ogg", *sources], names)
    assert {source: again[source] for source in sources} == names and again["a/MY_SONG_1.ogg"] == "MY_SONG_1-3"
