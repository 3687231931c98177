from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svcnb import audio, encoders, f0
from svcnb.encoders import EncoderError
from svcnb.f0 import F0, F0Error
from svcnb.prepare.features import Recipe, Task, _engines, extract, read_fingerprint
from svcnb.prepare.manifest import sha256
from tests.prepare.conftest import record, voice


@pytest.fixture(autouse=True)
def fresh():
    yield
    _engines.cache_clear()


def task(clip, **options):
    settings = dict(encoder="vec256l9", encoder_path=None, predictor="pm", sample_rate=44100, hop=512)
    return Task(clip, sha256(clip), Recipe.of(**settings | options))


def test_features_equal_those_of_the_original(tmp_path, golden, monkeypatch):
    data = np.load(golden("features/process_one.npz"))
    clip = record(tmp_path / "clip.wav", data["audio"])
    heard = []

    class Encoder:
        def units(self, wav):
            heard.append(wav)
            return torch.as_tensor(wav)[: 39 * 320].reshape(39, 320)[:, :5].clone()

    monkeypatch.setattr(encoders, "get", lambda *_: Encoder())
    monkeypatch.setattr(f0, "get", partial(f0.get, original=True))
    assert extract(task(clip)) is None
    features = load_file(tmp_path / "clip.features.safetensors")
    np.testing.assert_allclose(heard[0], data["wav16k_given_to_encoder"], atol=1e-5)
    np.testing.assert_allclose(features["units"].float().T[None], data["clip.soft.pt"], atol=5e-4)
    np.testing.assert_allclose(features["volume"], data["clip.vol.npy"], atol=1e-6)
    np.testing.assert_allclose(features["f0"], data["f0"], atol=1e-2)
    np.testing.assert_array_equal(features["uv"], data["uv"])


def test_the_file_says_what_made_it(tmp_path, engines):
    clip = record(tmp_path / "a b.c_000.wav", voice(1))
    assert read_fingerprint(clip) is None
    job = task(clip)
    assert extract(job) is None
    assert (tmp_path / "a b.c_000.features.safetensors").exists()
    assert read_fingerprint(clip) == job.recipe.fingerprint(job.sha256)
    features = load_file(tmp_path / "a b.c_000.features.safetensors")
    frames = 44100 // 512
    assert features["units"].dtype == torch.float16 and features["units"].shape == (49, 256)
    for name in ("f0", "uv", "volume"):
        assert features[name].shape == (frames,) and features[name].dtype == torch.float32
    wav, _ = audio.load(clip)
    np.testing.assert_allclose(features["volume"], audio.volume(wav, 512))


def test_the_fingerprint_changes_with_everything_that_matters_and_not_with_the_rest(tmp_path):
    clip = record(tmp_path / "a.wav", voice(1))
    weights = [tmp_path / name for name in ("w1", "w2", "same/w1")]
    for path, content in zip(weights, (b"x" * 9, b"y" * 9, b"x" * 9), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    def fingerprint(sha="1", **options):
        return task(clip, **options).recipe.fingerprint(sha)

    different = [
        fingerprint(),
        fingerprint("2"),
        fingerprint(encoder="vec768l12"),
        fingerprint(predictor="dio"),
        fingerprint(hop=256),
        fingerprint(encoder_path=weights[0]),
        fingerprint(encoder_path=weights[1]),
    ]
    assert len(set(different)) == len(different)
    assert fingerprint(encoder_path=weights[0]) == fingerprint(encoder_path=weights[2])


def test_a_damaged_file_of_features_counts_as_none(tmp_path, engines):
    clip = record(tmp_path / "a.wav", voice(1))
    extract(task(clip))
    (tmp_path / "a.features.safetensors").write_bytes(b"no")
    assert read_fingerprint(clip) is None


def test_units_too_large_for_half_precision_are_kept_whole(tmp_path, engines, monkeypatch):
    clip = record(tmp_path / "a.wav", voice(1))
    monkeypatch.setattr("tests.prepare.conftest.Encoder.units", lambda self, wav: torch.full((3, 256), 1e5))
    extract(task(clip))
    assert load_file(tmp_path / "a.features.safetensors")["units"].dtype == torch.float32


def test_a_clip_that_the_engines_cannot_take_is_named(tmp_path, engines, monkeypatch):
    clip = record(tmp_path / "a.wav", voice(1))
    monkeypatch.setattr("tests.prepare.conftest.Encoder.units", lambda self, wav: torch.full((3, 256), torch.nan))
    assert "not numbers" in extract(task(clip))

    def refuse(self, wav):
        raise EncoderError("This sound has 3 samples.")

    monkeypatch.setattr("tests.prepare.conftest.Encoder.units", refuse)
    assert extract(task(clip)).endswith("could not be made: This sound has 3 samples.")
    assert not (tmp_path / "a.features.safetensors").exists()


def test_a_wrong_predictor_or_a_missing_file_of_weights_is_refused_at_once(tmp_path):
    with pytest.raises(F0Error, match="'harvest'"):
        Recipe.of("vec256l9", None, "harvset", 44100, 512)
    with pytest.raises(EncoderError, match="no file"):
        Recipe.of("vec256l9", tmp_path / "nothing.pt", "pm", 44100, 512)


def test_unvoiced_stretches_are_filled_and_marked(tmp_path, engines, monkeypatch):
    clip = record(tmp_path / "a.wav", voice(1))
    hz = np.zeros(86)
    hz[10:20], hz[40:60] = 100, 200
    monkeypatch.setattr(f0, "get", lambda *_, **__: lambda wav: F0(hz, hz > 0))
    extract(task(clip))
    features = load_file(tmp_path / "a.features.safetensors")
    assert (features["f0"] > 0).all() and features["f0"][0] == 100 and 100 < features["f0"][30] < 200
    np.testing.assert_array_equal(features["uv"], hz > 0)
