"""Both ways through the lesson voice: each follows the recording, the heard one more closely."""

import numpy as np
import pytest

from svcnb import lesson
from svcnb.checkpoint import load_sovits
from svcnb.evaluate import compare
from svcnb.training.anatomy import two_ways


def test_what_was_heard_is_sung_more_truly_than_what_was_promised():
    model, config = load_sovits(lesson.voice_path())
    wav = lesson.sing("clara", "row")[0][: 3 * lesson.RATE]
    ways = two_ways(model, config, wav, "clara")
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
