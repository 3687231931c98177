"""The key that suits a singer."""

import numpy as np
import pytest

from svcnb import key, lesson
from svcnb.prepare import prepare

RATE = lesson.RATE


def test_a_lesson_singer_is_met_in_her_own_key(tmp_path):
    song = lesson.sing("tomas", "row")[0]
    for name in ("clara", "bruno"):
        assert key.distance(song, RATE, key.usual_pitch(name, tmp_path)) == lesson.semitones("tomas", name)


def test_what_was_prepared_counts_before_what_is_known(tmp_path):
    lesson.write_songs(tmp_path / "sung", ["bruno"], ["kitchen"])
    (tmp_path / "raw").mkdir()
    (tmp_path / "sung/bruno").rename(tmp_path / "raw/clara")  # another clara, who sings low
    report = prepare(tmp_path / "raw", tmp_path, f0="dio", preset="lesson")
    assert key.usual_pitch("clara", tmp_path) == report.speakers["clara"].median
    assert key.usual_pitch("bruno", tmp_path) != report.speakers["clara"].median


def test_nobody_knows_the_key_of_a_stranger(tmp_path):
    assert key.usual_pitch("anna", tmp_path) is None
    assert key.distance(np.zeros(RATE), RATE, None) == 0


def test_silence_has_no_key():
    with pytest.raises(ValueError, match="Nothing is sung in this song"):
        key.distance(np.zeros(RATE, np.float32), RATE, 200)
