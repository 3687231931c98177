import io

import numpy as np
import pytest
import soundfile

from svcnb.audio import loudness
from svcnb.widgets import Compare
from svcnb.widgets.compare import Score

RATE = 16000


def tone(level, hz=440, seconds=2.0):
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


@pytest.fixture
def compare():
    return Compare({"loud": tone(0.9), "quiet": tone(0.02, 441), "silent": np.zeros(RATE)}, RATE, seed=3)


def heard(file):
    return soundfile.read(io.BytesIO(file))[0]


def test_takes_become_equally_loud_and_none_clips(compare):
    sounds = [heard(file) for file in compare.sounds]
    levels = [loudness(wav, RATE) for wav in sounds]
    assert levels[0] == pytest.approx(levels[1], abs=0.1) and max(np.abs(wav).max() for wav in sounds) < 0.9
    assert not sounds[2].any() and compare.lufs[2] is None and compare.gains[2] == 0
    assert compare.lufs[0] == pytest.approx(loudness(tone(0.9), RATE))
    assert compare.gains[1] - compare.gains[0] == pytest.approx(20 * np.log10(0.9 / 0.02), abs=0.1)


def test_peaky_takes_pull_the_common_level_down():
    click = tone(0.05)
    click[100] = 1.0  # so this one can not be made louder
    compare = Compare({"click": click, "even": tone(0.3)}, RATE)
    assert compare.gains[0] <= 0
    assert all(np.abs(heard(file)).max() < 0.99 for file in compare.sounds)
    assert loudness(heard(compare.sounds[0]), RATE) == pytest.approx(loudness(heard(compare.sounds[1]), RATE), abs=0.1)


def test_the_pictures_share_one_scale_of_time(compare):
    rows, columns = compare.shape
    levels = [np.frombuffer(picture, np.uint8).reshape(rows, columns) for picture in compare.pictures]
    assert compare.seconds == 2 and levels[0].any() and abs(levels[0][:, 10].argmax() - rows * 0.6) < rows * 0.1


def test_a_blind_test_keeps_its_answer_here(compare):
    compare._heed(compare, {"do": "begin", "a": "loud", "b": "quiet"}, [])
    for number in range(1, 9):
        trial = compare.trial
        assert set(trial) == {"number", "a", "b", "x"} and trial["number"] == number
        truth = ["loud", "quiet"][compare.sounds.index(trial["x"])]
        wrong = {"loud": "quiet", "quiet": "loud"}[truth]
        compare._heed(compare, {"do": "answer", "name": wrong if number == 5 else truth}, [])
    assert (compare.score.right, compare.score.trials) == (7, 8)
    compare._heed(compare, {"do": "end"}, [])
    assert compare.trial == {} and compare.said.startswith("7 of 8 right") and "p = 0.035" in compare.said


def test_x_changes_from_trial_to_trial(compare):
    compare.begin("loud", "quiet")
    drawn = set()
    for _ in range(12):
        drawn.add(compare._x)
        compare.answer("loud")
    assert drawn == {"loud", "quiet"}
    compare.begin("loud", "quiet")
    assert compare.score == Score(0, 0)


def test_p_is_the_chance_of_guessing_that_well():
    assert Score(9, 10).p == pytest.approx(11 / 1024) and Score(0, 0).p == 1 and Score(0, 4).p == 1


def test_what_can_not_be_compared():
    with pytest.raises(ValueError, match="takes by name"):
        Compare({}, RATE)
    with pytest.raises(ValueError, match="takes by name"):
        Compare({"stereo": np.zeros((2, 100))}, RATE)
    compare = Compare({"a": tone(0.1), "b": tone(0.2)}, RATE)
    with pytest.raises(ValueError, match="two different"):
        compare.begin("a", "a")
    with pytest.raises(ValueError, match="begin a blind test"):
        compare.answer("a")


def test_a_picture_stands_for_it(compare):
    assert repr(compare) == "<Compare: to be used in a running notebook>"
    assert len(compare.figure().axes) == 4  # three takes and the scale
