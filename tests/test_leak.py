"""The leak meter: what is retrieved changes who is heard and what is understood, and the meter sees both."""

import numpy as np
import pytest

from svcnb import leak, lesson
from svcnb.convert import Converter, ConvertError
from svcnb.retrieval import Clusters, Index


@pytest.fixture(scope="module")
def converter():
    return Converter.load(lesson.voice_path(), device="cpu")


@pytest.fixture(scope="module")
def phrase():
    return leak.Phrase.sung("emil", "clara", start=0.5, seconds=2.5)


@pytest.fixture(scope="module")
def ear():
    return leak.Ear([lesson.sing("clara", "vowels", hop=leak.HOP)])


def test_a_phrase_and_its_truth_run_in_time(phrase):
    assert len(phrase.source) == len(phrase.target) == leak.HOP * len(phrase.phone) == 125 * leak.HOP
    assert phrase.semitones == lesson.semitones("emil", "clara") == 5
    wav, truth = lesson.sing("emil", "row", hop=leak.HOP)
    assert np.array_equal(phrase.source, wav[lesson.RATE // 2 : 3 * lesson.RATE])
    assert np.array_equal(phrase.phone, truth.phone[25:150])


def test_the_ear_understands_singing_and_not_noise(ear, phrase):
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(phrase.source)).astype(np.float32)
    understood = [ear.understands(wav, phrase.phone) for wav in (phrase.source, phrase.target)]
    assert min(understood) > 0.4
    assert ear.understands(noise, phrase.phone) < 0.15
    assert ear.understands(phrase.target, phrase.phone + 1) < 0.15, "other words"


def test_readings_of_two_retrievals(converter, ear, phrase):
    rng, clara = np.random.default_rng(0), converter.config.spk["clara"]
    one_sound = {"clara": rng.standard_normal((1, 64))}  # every unit becomes this one: no word is left
    retrievals = {"clusters": Clusters(one_sound), "index": Index.fit([(clara, rng.standard_normal((200, 64)))])}
    counted = []
    similar = lambda a, b: counted.append(a) or float(b is phrase.target)
    readings = leak.measure(converter, retrievals, [phrase], ear, "clara", (0, 1), similar)
    plain, drowned = readings["clusters"]
    assert (plain.ratio, drowned.ratio) == (0, 1) and (plain.target, plain.source) == (1, 0)
    assert readings["index"][0] is plain and len(counted) == 6, "ratio 0 is converted once"
    assert drowned.words < 0.5 * plain.words and readings["index"][1].words < plain.words
    assert "ratio 0.00: target  1.00, source  0.00" in str(plain)
    assert converter.retrieval is None


def test_a_wrong_ratio_is_refused(converter, ear, phrase):
    with pytest.raises(ConvertError, match="from 0 to 1"):
        leak.measure(converter, {"index": Index({})}, [phrase], ear, "clara", (2,))
