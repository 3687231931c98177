"""Both ways through the lesson voice: each follows the recording, the heard one more closely."""

import numpy as np
import pytest

from svcnb import lesson
from svcnb.checkpoint import load_sovits
from svcnb.evaluate import compare
from svcnb.training import train_sovits
from svcnb.training.anatomy import held_back, two_ways

from .conftest import small_config


def test_what_was_heard_is_sung_more_truly_than_what_was_promised():
    model, config = load_sovits(lesson.voice_path())
    wav = lesson.sing("mina", "row")[0][: 3 * lesson.RATE]
    ways = two_ways(model, config, wav, "mina")
    frames = len(wav) // 512
    assert ways.heard.shape == ways.promised.shape == (frames, config.model.inter_channels)
    assert len(ways.copied) == len(ways.sung) == frames * 512
    copied, sung = (compare(sound, wav[: frames * 512], sample_rate=lesson.RATE) for sound in (ways.copied, ways.sung))
    assert copied.mel_distance < sung.mel_distance < 1.2
    assert copied.f0_median_cents < 10 and sung.f0_median_cents < 10
    other = two_ways(model, config, wav, "bruno")
    assert not np.allclose(other.promised, ways.promised), "the flow depends on the speaker"
    with pytest.raises(KeyError, match="nobody"):
        two_ways(model, config, wav, "nobody")


def test_a_voice_sings_what_was_held_back(work):
    config = small_config()
    untaught = held_back(work, config, None)
    assert set(untaught.sounds) == {"ann/0", "bob/0"} and {len(x) for x in untaught.sounds.values()} == {125 * 64}
    *_, last = train_sovits(work, config.copy_with(train={"disc_start": 30}), max_steps=30, device="cpu")
    taught = held_back(work, config, last.saved)
    assert taught.distance == pytest.approx(last.scores["mel"], rel=1e-3) and taught.distance < untaught.distance
