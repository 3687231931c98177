"""Stretching units: both of the original's ways, to the frame."""

import numpy as np
import pytest
import torch

from svcnb.encoders import stretch


def test_every_pair_of_lengths_gives_the_originals_frames(golden):
    data = np.load(golden("features/repeat_expand.npz"))
    pairs = [key[5:] for key in data if key.startswith("left_")]
    assert len(pairs) > 5
    for pair in pairs:
        frames = int(pair.split("_")[1])
        units = torch.from_numpy(data[f"in_{pair}"]).T
        for mode in ("left", "nearest"):
            assert torch.equal(stretch(units, frames, mode).T, torch.from_numpy(data[f"{mode}_{pair}"]))
    for mode in ("linear", "area"):
        result = stretch(torch.from_numpy(data["in_linear"].reshape(-1, 9)).T, 16, mode).T
        reference = data[f"{mode}_9_16"].reshape(result.shape)
        assert np.abs(result.numpy() - reference).max() < 1e-6


def test_too_many_frames_are_compressed_by_nearest_and_cut_by_left():
    units = torch.arange(10.0)[:, None]
    assert stretch(units, 5, "nearest").flatten().tolist() == [0, 2, 4, 6, 8]
    assert stretch(units, 5, "left").flatten().tolist() == [0, 1, 2, 3, 4]


def test_half_precision_units_come_out_as_float32():
    assert stretch(torch.ones(3, 2, dtype=torch.float16), 7).dtype == torch.float32
    assert stretch(torch.ones(3, 2), 0).shape == (0, 2)


def test_what_can_not_be_stretched_is_refused():
    with pytest.raises(ValueError, match="bilinear"):
        stretch(torch.ones(3, 2), 7, "bilinear")
    with pytest.raises(ValueError, match="0 frames"):
        stretch(torch.ones(0, 2), 7)
