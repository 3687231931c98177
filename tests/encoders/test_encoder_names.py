"""The table of encoders: the original's thirteen names, and what is said to a name that is not there."""

import pytest

from svcnb import encoders
from svcnb.config import UNITS_DIM
from svcnb.unpickle import CheckpointError


def test_every_encoder_that_a_config_may_name_is_there():
    assert set(encoders.names()) == set(UNITS_DIM)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(encoders.EncoderError, match="did you mean 'vec768l12'"):
        encoders.get("vec768-l12")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nothing-here"):
        encoders.get("whisper-ppg", tmp_path / "nothing-here.pt")
