"""svcnb.f0.postprocess against the original's results, and where ours is meant to differ."""

import numpy as np
import pytest

from svcnb.f0.postprocess import (
    align,
    fill,
    from_cents,
    local_mean,
    mean_filter,
    median_filter,
    resize_nearest,
    resize_original,
    to_cents,
)

KINDS = ["mixed", "leadtrail", "allzero", "one", "onefirst", "full"]


@pytest.fixture(scope="module")
def data(golden):
    return np.load(golden("features/f0_interp.npz"))


@pytest.mark.parametrize("kind", KINDS)
def test_fill_is_the_originals(data, kind):
    raw = data[f"raw_{kind}"]
    np.testing.assert_allclose(fill(raw, original=True), data[f"interp_{kind}"], rtol=1e-6)
    assert ((raw > 0) == data[f"uv_{kind}"]).all()


def test_fill_holds_a_single_voiced_frame():
    hz = np.zeros(9)
    hz[4] = 220
    assert (fill(hz) == 220).all()
    assert (fill(hz, original=True) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [40, 39, 43, 79])
def test_resize_of_dio_and_harvest(data, kind, frames):
    hz = resize_original(data[f"raw_{kind}"], frames)
    np.testing.assert_allclose(hz, data[f"resize_{kind}_{frames}"], rtol=1e-6)
    np.testing.assert_allclose(fill(hz, original=True), data[f"resizeinterp_{kind}_{frames}"], rtol=1e-6)
    assert ((hz > 0) == data[f"resizeuv_{kind}_{frames}"]).all()


@pytest.mark.parametrize("kind", ["mixed", "leadtrail", "full"])
@pytest.mark.parametrize("frames", [40, 34, 30])
def test_resize_of_the_networks(data, kind, frames):
    hz = resize_nearest(data[f"raw_{kind}"].astype(np.float32), frames)
    np.testing.assert_allclose(fill(hz), data[f"post_{kind}_{frames}"], rtol=1e-5)
    assert ((hz > 0) == data[f"postuv_{kind}_{frames}"]).all()


def test_filters_are_the_originals(golden):
    data = np.load(golden("features/f0_classic_and_crepe.npz"))
    for end in ("", "_nan"):
        pool = data[f"pool_in{end}"][0]
        np.testing.assert_allclose(median_filter(pool), data[f"median_in{end}"][0], atol=1e-6)
        np.testing.assert_allclose(mean_filter(pool), data[f"mean_in{end}"][0], atol=1e-6)


def test_align_keeps_time_and_edges():
    times = np.arange(100) / 100
    hz = np.where((times >= 0.2) & (times < 0.6), 200 + 100 * times, 0)
    targets = np.arange(86) * 512 / 44100
    out = align(hz, times, targets)
    voiced = out > 0
    inside = (targets > 0.205) & (targets < 0.585)
    assert voiced[inside].all() and not voiced[(targets < 0.19) | (targets > 0.61)].any()
    np.testing.assert_allclose(out[inside], 200 + 100 * targets[inside], atol=1e-9)


def test_align_of_nothing_is_unvoiced():
    assert (align(np.zeros(0), np.zeros(0), np.arange(3.0)) == 0).all()


def test_local_mean_at_the_ends():
    salience = np.zeros((2, 20))
    salience[0, :3] = 0.9, 0.3, 0.3
    salience[1, -3:] = 0.3, 0.3, 0.9
    cents = np.arange(20) * 20.0
    np.testing.assert_allclose(local_mean(salience, cents), [12, 368])
    assert local_mean(salience, cents, clamp=True)[0] < 12


def test_twelve_hundred_cents_are_an_octave():
    assert from_cents(np.array([0.0, 1200.0, 2400.0, 1200 * np.log2(44)])) == pytest.approx([10, 20, 40, 440])
    assert to_cents([20.0, 440.0]) == pytest.approx([1200, 1200 * np.log2(44)])
