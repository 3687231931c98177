from dataclasses import replace

import pytest

from svcnb.prepare.advice import advise
from svcnb.prepare.report import DataReport, SpeakerReport, note

GOOD = SpeakerReport(
    clips=["a.wav"] * 9, minutes=20.0, low=110.0, median=220.0, high=440.0, sung=0.8, clipped=0.0, silent=0.2, snr=60.0,
    sample_rate=44100,
)  # fmt: skip


def test_good_recordings_get_no_complaint():
    assert advise({"alice": GOOD, "bob": GOOD}, []) == ["Nothing to complain about."]


@pytest.mark.parametrize(
    "change, sentence",
    [
        (dict(minutes=0.5), "alice has 30 s of singing, too little"),
        (dict(minutes=5.0), "alice has 5.0 minutes; it works"),
        (dict(clipped=0.003), "alice's recordings are clipped (0.30% of the samples)"),
        (dict(snr=15.0), "alice's recordings are noisy (15 dB"),
        (dict(high=130.0), "alice sings within 3 semitones"),
        (dict(sung=0.1), "Only 10% of alice's clips has a pitch"),
        (dict(sample_rate=16000), "alice has recordings at 16 kHz"),
    ],
)
def test_each_fault_gets_its_sentence(change, sentence):
    advice = advise({"alice": replace(GOOD, **change), "bob": replace(GOOD, minutes=change.get("minutes", 20.0))}, [])
    assert advice[0].startswith(sentence)
    assert all(s.startswith("bob has") for s in advice[1:])


def test_unknown_noise_is_no_fault():
    assert advise({"alice": replace(GOOD, snr=None), "bob": GOOD}, []) == ["Nothing to complain about."]


def test_the_whole_is_judged_too():
    uneven = advise({"alice": replace(GOOD, minutes=120.0), "bob": GOOD}, [("x", "y")])
    assert uneven[0].startswith("alice has 6 times as much as bob") and uneven[1].startswith("1 entry was not used")
    assert advise({"alice": GOOD}, [])[0].startswith("There is one speaker")


def test_the_report_is_a_table_with_sentences_below():
    speakers = {"alice": GOOD, "Bøb with a long name": replace(GOOD, snr=None, low=82.4)}
    report = DataReport(speakers, [("alice/x.wav", "x.wav is silent; record it again.")], 3, 2, 14, 4, ["Sing more."])
    lines = str(report).splitlines()
    assert len({len(line) for line in lines[:3]}) == 1  # columns are aligned
    assert lines[0].split() == ["speaker", "clips", "minutes", "low", "median", "high", "clipped", "silence", "noise"]
    assert "A2 110 Hz" in lines[1] and "-60 dB" in lines[1] and "E2 82 Hz" in lines[2] and lines[2].endswith("?")
    assert "14 clips to train on, 4 to check with; 3 clips" in lines[4]
    assert lines[5:] == ["Not used: x.wav is silent; record it again.", "Sing more."]
    assert report.minutes == 40


@pytest.mark.parametrize("hz, name", [(440, "A4"), (261.63, "C4"), (27.5, "A0"), (466.2, "A#4"), (450, "A4")])
def test_pitches_have_the_names_of_notes(hz, name):
    assert note(hz) == name
