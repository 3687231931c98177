"""Every option says what it means and where it is sensible; its own default is."""

import pytest

from svcnb.models import rectified
from svcnb.models.samplers import SAMPLERS
from svcnb.options import KNOWN, ConvertError, Options

NUMBERS = [name for name, known in KNOWN.items() if known["least"] is not None]


@pytest.mark.parametrize("name", KNOWN)
def test_an_option_explains_itself(name):
    known = KNOWN[name]
    assert known["group"] and known["meaning"][0].isupper() and known["meaning"].endswith(".")
    assert known["needs"] in ("", "voice", "f0_decoder", "retrieval", "diffusion", "enhancer")
    if known["choices"]:
        assert getattr(Options, name) in [None, *known["choices"]]


@pytest.mark.parametrize("name", NUMBERS)
def test_sensible_values_are_allowed(name):
    known = KNOWN[name]
    usual = known["usual"] if getattr(Options, name) is None else getattr(Options, name)
    assert known["least"] <= usual <= known["greatest"] and 0 < known["step"] < known["greatest"] - known["least"]
    for value in (known["least"], known["greatest"], usual):
        Options.of({name: value})


@pytest.mark.parametrize("name", [name for name in KNOWN if isinstance(getattr(Options, name), (int, float))])
def test_what_is_not_a_number_is_refused(name):
    with pytest.raises(ConvertError, match=f"{name} is inf; it must be a number"):
        Options.of({name: float("inf")})


def test_the_samplers_are_those_that_there_are():
    assert KNOWN["sampler"]["choices"] == [*SAMPLERS, *rectified.SAMPLERS]
