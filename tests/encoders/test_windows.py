"""Long sound: windows that join without gap or overlap, and keep their context."""

import pytest
import torch

from svcnb.encoders.base import Encoder
from svcnb.encoders.windows import plan


@pytest.mark.parametrize("frames", [1, 9, 10, 11, 13, 14, 15, 16, 17, 100, 101])
def test_windows_cover_every_frame_once_with_context(frames):
    windows = list(plan(frames, window=10, margin=3))
    kept = [t for w in windows for t in range(w.keep_start, w.keep_end)]
    assert kept == list(range(frames))
    for w in windows:
        assert w.end - w.start <= 10
        assert w.start == 0 or w.keep_start - w.start >= 3
        assert w.end == frames or w.end - w.keep_end >= 3


def test_margins_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="nothing"):
        list(plan(100, window=6, margin=3))


class Local(Encoder):
    """Hears each frame's own 400 samples."""

    longest = 0

    def encode(self, wavs, survey=None):
        self.longest = max(self.longest, *map(len, wavs))
        return [wav.unfold(0, 400, 320).cumsum(1)[:, ::80] for wav in wavs]


def test_a_long_sound_equals_the_whole_while_little_of_it_is_heard_at_once():
    wav = torch.randn(320 * 777 + 200, generator=torch.Generator().manual_seed(1))
    encoder = Local(5, "cpu")
    whole = encoder.units(wav)
    encoder.window, encoder.margin, encoder.longest = 50, 5, 0
    assert torch.equal(encoder.units(wav), whole)
    assert encoder.longest == 50 * 320 + 80
    assert all(len(piece) <= 50 for piece in encoder.stream(wav))


@pytest.mark.parametrize("batch_frames", [0, 60, 1000])
def test_a_batch_of_any_lengths_comes_back_in_order(batch_frames):
    generator = torch.Generator().manual_seed(1)
    wavs = [torch.randn(n, generator=generator).numpy() for n in (4000, 60000, 400, 9000, 9001, 30000)]
    encoder = Local(5, "cpu")
    encoder.window, encoder.margin, encoder.batch_frames = 50, 5, batch_frames
    for wav, units in zip(wavs, encoder.units_batch(wavs), strict=True):
        assert torch.equal(units, encoder.units(wav))
    assert encoder.units_batch([]) == []
