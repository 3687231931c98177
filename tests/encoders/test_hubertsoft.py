"""HuBERT-Soft units against the original's."""

import pytest
import torch

from svcnb import encoders
from svcnb.encoders import EncoderError


def test_hubertsoft_by_the_originals_name(layout, fill, heard, differ, tmp_path):
    state = {f"module.{key}": value for key, value in fill("hubertsoft:", layout("hubertsoft")["layout"]).items()}
    path = tmp_path / "hubert-soft.pt"
    torch.save(state, path)
    encoder = encoders.get("hubertsoft", path, "cpu")
    assert encoder.dim == 256
    assert differ(encoder.units(heard), "hubertsoft") < 5e-5


def test_a_file_that_does_not_fit_is_refused_in_a_sentence(tmp_path):
    torch.save({"proj.weight": torch.ones(256, 768)}, tmp_path / "some.pt")
    with pytest.raises(EncoderError, match="not a file of this encoder"):
        encoders.get("hubertsoft", tmp_path / "some.pt", "cpu")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(EncoderError, match="not a HuBERT-Soft checkpoint"):
        encoders.get("hubertsoft", tmp_path / "list.pt", "cpu")
