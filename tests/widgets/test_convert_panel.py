from types import SimpleNamespace

import numpy as np
import pytest

from svcnb.convert import Conversion
from svcnb.f0 import F0
from svcnb.options import KNOWN, ConvertError, Options
from svcnb.widgets import ConvertPanel

from .test_compare import heard

RATE = 16000


class Pretended:
    """A converter that sings everything half as loud, and tells how it was asked."""

    sample_rate, n_speakers, retrieval, diffusion, enhancer = RATE, 2, None, None, None
    config = SimpleNamespace(spk={"ann": 0, "bob": 1}, model=SimpleNamespace(use_automatic_f0_prediction=True))
    model = object()

    def __init__(self, fails=None):
        self.asked, self.fails = [], fails

    def convert(self, song, sample_rate, speaker, **options):
        self.asked.append((len(song) / sample_rate, speaker, options))
        if self.fails:
            raise self.fails
        Options.of(options)
        return Conversion(RATE, 512, F0(np.zeros(1), np.zeros(1, bool)), [], 0, ("A note.",), 0.5 * song)


def song():
    """Ten seconds, silent but for a tone from 6 to 9 s."""
    wav = 0.4 * np.sin(2 * np.pi * 300 * np.arange(10 * RATE) / RATE).astype(np.float32)
    wav[: 6 * RATE] = wav[9 * RATE :] = 0
    return wav


@pytest.fixture
def panel():
    return ConvertPanel(Pretended(), song(), speaker="bob", semitones=4)


def ask(panel, **message):
    panel._handle_custom_msg(message, [])
    return panel.said


def test_every_option_is_on_the_page(panel):
    assert [knob["name"] for knob in panel.knobs] == list(KNOWN) == list(panel.values)
    assert {knob["name"]: knob["kind"] for knob in panel.knobs if knob["kind"] != "number"} == {
        "f0_predictor": "choice", "auto_f0": "switch", "sampler": "choice", "only_diffusion": "switch",
        "second_encoding": "switch", "half_diffusion": "switch",
    }  # fmt: skip


def test_options_are_what_differs_from_the_usual(panel):
    assert panel.options == {"semitones": 4} and panel.speaker == "bob"
    ask(panel, do="set", name="noise_scale", value=0.2)
    ask(panel, do="set", name="semitones", value=0)
    assert panel.options == {"noise_scale": 0.2}
    ask(panel, do="choose", speaker="ann")
    ask(panel, do="reset")
    assert panel.options == {} and panel.speaker == "ann"


def test_it_begins_where_it_is_loud(panel):
    assert 3.9 < panel.start <= 6 and panel.seconds == 5 and panel.duration == 10
    ask(panel, do="move", start=99)
    assert panel.start == 5
    short = ConvertPanel(Pretended(), song()[: 2 * RATE])
    assert (short.seconds, short.start) == (2, 0)


def test_hearing_converts_the_piece(panel):
    assert not panel.fresh
    assert "5 s of bob" in ask(panel, do="hear") and "A note." in panel.said
    assert panel._converter.asked == [(5, "bob", {"semitones": 4})]
    before, after = map(heard, panel.sounds)
    assert np.allclose(after, before / 2, atol=1e-4) and np.abs(before).max() > 0.3
    assert panel.fresh and not panel.busy and panel.heard.speaker == 0
    ask(panel, do="set", name="seed", value=1)
    assert not panel.fresh


def test_what_makes_no_sense_is_said_and_changes_nothing(panel):
    assert "at least" in ask(panel, do="set", name="noise_scale", value=-1)
    assert "no option" in ask(panel, do="set", name="noise", value=1)
    assert "no speaker 'eve'; there are ann, bob" in ask(panel, do="choose", speaker="eve")
    assert panel.options == {"semitones": 4} and panel.speaker == "bob"


@pytest.mark.parametrize("error", [ConvertError("No."), OSError("The disk is full."), RuntimeError("Out of memory.")])
def test_a_failed_conversion_is_said(error):
    panel = ConvertPanel(Pretended(error), song())
    said = []
    panel.observe(lambda change: said.append(change.new), "said")
    for _ in range(2):
        assert ask(panel, do="hear") == str(error) and not panel.busy and not panel.fresh
    assert said == [str(error), "", str(error)]


def test_what_the_converter_lacks_is_named(panel):
    missing = {knob["name"]: knob["missing"] for knob in panel.knobs if knob["missing"]}
    assert missing["k_step"] == "no diffusion model is loaded" and "retrieval_ratio" in missing
    assert not {"semitones", "auto_f0", "noise_scale"} & missing.keys()
    full = Pretended()
    full.retrieval = full.diffusion = full.enhancer = object()
    assert not any(knob["missing"] for knob in ConvertPanel(full, song()).knobs)
    full.model = None
    alone = ConvertPanel(full, song())
    assert {knob["name"] for knob in alone.knobs if knob["missing"]} == {"auto_f0", "noise_scale"}


@pytest.mark.parametrize("how", [{"speaker": "eve"}, {"noise": 1}, {"f0_predictor": lambda wav: wav}])
def test_it_can_not_begin_with_nonsense(how):
    with pytest.raises(ConvertError):
        ConvertPanel(Pretended(), song(), **how)


@pytest.mark.parametrize("wav", [np.zeros(0), np.zeros((2, 9))])
def test_it_needs_a_song(wav):
    with pytest.raises(ConvertError, match="needs a song"):
        ConvertPanel(Pretended(), wav)


def test_speakers_without_names_go_by_number():
    nameless = Pretended()
    nameless.config = SimpleNamespace(spk={}, model=Pretended.config.model)
    panel = ConvertPanel(nameless, song(), speaker="1")
    panel.hear()
    assert nameless.asked[0][1] == 1


def test_without_a_page_there_is_a_picture(panel):
    axes = panel.figure().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(KNOWN)
    assert "4 semitones" in [text.get_text() for text in axes.texts]
