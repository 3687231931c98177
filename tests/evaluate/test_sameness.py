"""Two models that sing the same phrase: alike, nearly alike, not alike."""

from copy import deepcopy

import pytest
import torch

from svcnb import lesson
from svcnb.checkpoint import load_sovits
from svcnb.evaluate.sameness import decibels_apart
from svcnb.models.sovits import Sovits


@pytest.mark.parametrize("volume", [False, True])
def test_the_difference_grows_with_what_is_changed(volume):
    _, config = load_sovits(lesson.voice_path())
    torch.manual_seed(0)
    model = Sovits(config.copy_with(model={"vol_embedding": volume})).eval()
    assert decibels_apart(model, deepcopy(model)) == float("inf")
    half, other = deepcopy(model).half().float(), deepcopy(model)
    with torch.no_grad():
        other.dec.conv_post.weight_v.mul_(-1)  # the sound is turned over
    assert decibels_apart(model, half) > 40
    assert decibels_apart(model, other) < 0
