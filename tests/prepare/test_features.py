import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svcnb import audio, encoders, f0, lesson
from svcnb.config import DataConfig
from svcnb.encoders import EncoderError
from svcnb.f0 import F0, F0Error
from svcnb.prepare import features
from svcnb.prepare.features import Recipe, Task, _engines, batches, read_fingerprint
from svcnb.prepare.manifest import sha256
from tests.prepare.conftest import record, voice


@pytest.fixture(autouse=True)
def fresh():
    yield
    _engines.cache_clear()


def task(clip, hop=512, **options):
    settings = dict(encoder="vec256l9", encoder_path=None, predictor="pm", half=False, spectra=False)
    recipe = Recipe.of(data=DataConfig(hop_length=hop), **settings | options)
    return Task(clip, len(audio.load(clip)[0]) / 44100, sha256(clip), recipe)


def extract(job):
    """The problem with one clip, alone in its batch."""
    (problem,) = features.extract([job])
    return problem


def test_features_equal_those_of_the_original(tmp_path, golden, monkeypatch):
    data = np.load(golden("features/process_one.npz"))
    clip = record(tmp_path / "clip.wav", data["audio"])
    heard = []

    class Encoder:
        half = False

        def units_batch(self, wavs):
            heard.extend(wavs)
            return [torch.as_tensor(wav)[: 39 * 320].reshape(39, 320)[:, :5].clone() for wav in wavs]

    monkeypatch.setattr(encoders, "get", lambda *_: Encoder())
    monkeypatch.setattr(f0, "get", partial(f0.get, original=True))
    assert extract(task(clip)) is None
    found = load_file(tmp_path / "clip.features.safetensors")
    np.testing.assert_allclose(heard[0], data["wav16k_given_to_encoder"], atol=1e-5)
    np.testing.assert_allclose(found["units"].float().T[None], data["clip.soft.pt"], atol=5e-4)
    np.testing.assert_allclose(found["volume"], data["clip.vol.npy"], atol=1e-6)
    np.testing.assert_allclose(found["f0"], data["f0"], atol=1e-2)
    np.testing.assert_array_equal(found["uv"], data["uv"])


def test_the_file_says_what_made_it(tmp_path, engines):
    clip = record(tmp_path / "a b.c_000.wav", voice(1))
    assert read_fingerprint(clip) is None
    job = task(clip)
    assert extract(job) is None
    assert (tmp_path / "a b.c_000.features.safetensors").exists()
    assert read_fingerprint(clip) == job.recipe.fingerprint(job.sha256)
    found = load_file(tmp_path / "a b.c_000.features.safetensors")
    frames = 44100 // 512
    assert found["units"].dtype == torch.float16 and found["units"].shape == (49, 256)
    for name in ("f0", "uv", "volume"):
        assert found[name].shape == (frames,) and found[name].dtype == torch.float32
    wav, _ = audio.load(clip)
    np.testing.assert_allclose(found["volume"], audio.volume(wav, 512))


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
        fingerprint(half=True),
        fingerprint(spectra=True),
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
        Recipe.of("vec256l9", None, "harvset", DataConfig(), False, False)
    with pytest.raises(EncoderError, match="no file"):
        Recipe.of("vec256l9", tmp_path / "nothing.pt", "pm", DataConfig(), False, False)


def test_unvoiced_stretches_are_filled_and_marked(tmp_path, engines, monkeypatch):
    clip = record(tmp_path / "a.wav", voice(1))
    hz = np.zeros(86)
    hz[10:20], hz[40:60] = 100, 200
    monkeypatch.setattr(f0, "get", lambda *_, **__: lambda wav: F0(hz, hz > 0))
    extract(task(clip))
    found = load_file(tmp_path / "a.features.safetensors")
    assert (found["f0"] > 0).all() and found["f0"][0] == 100 and 100 < found["f0"][30] < 200
    np.testing.assert_array_equal(found["uv"], hz > 0)


def test_clips_of_one_length_share_a_batch():
    recipe = Recipe.of("vec256l9", None, "pm", DataConfig(), False, False)
    tasks = [Task(Path(f"{seconds}"), seconds, "", recipe) for seconds in (5, 15, 9, 14, 13, 5.5)]
    made = [[task.seconds for task in batch] for batch in batches(tasks)]
    assert made == [[15, 14], [13, 9, 5.5], [5]]
    assert batches([]) == []
    assert [len(batch) for batch in batches(tasks, processes=2)] == [1, 1, 1, 1, 1, 1]
    assert [len(batch) for batch in batches(8 * tasks, processes=2)][:3] == [2, 2, 2]


def test_a_bad_clip_does_not_spoil_its_batch(tmp_path, engines):
    jobs = [task(record(tmp_path / f"{name}.wav", voice(1))) for name in "abc"]
    (tmp_path / "b.wav").write_bytes(b"")
    fine, problem, fine_too = features.extract(jobs)
    assert fine is fine_too is None and "b.wav could not be made" in problem
    assert read_fingerprint(jobs[0].clip) and read_fingerprint(jobs[2].clip) and not read_fingerprint(jobs[1].clip)


def test_spectra_are_the_originals(tmp_path, golden, engines, monkeypatch):
    data = np.load(golden("features/process_one.npz"))
    clip = record(tmp_path / "clip.wav", data["audio"])
    draws = random.Random(4321)
    monkeypatch.setattr(features.random, "Random", lambda _: draws)
    extract(task(clip, spectra=True))
    found = load_file(tmp_path / "clip.features.safetensors")
    np.testing.assert_allclose(found["spec"].T[:, ::3], data["clip.spec.pt"], atol=1e-4)
    np.testing.assert_allclose(found["mel"], data["clip.mel.npy"], atol=1e-3)
    np.testing.assert_allclose(found["aug_mel"], data["aug_mel"], atol=1e-3)
    np.testing.assert_allclose(found["aug_volume"], data["clip.aug_vol.npy"], atol=1e-6)
    np.testing.assert_allclose(found["aug_semitones"], data["aug_keyshift"], atol=1e-6)


def test_half_precision_is_close(tmp_path):
    clip, (song, _) = tmp_path / "a.wav", lesson.sing("tomas", "row")
    record(clip, song[: 5 * lesson.RATE])
    units = {}
    for half in (False, True):
        extract(task(clip, encoder="lesson", half=half))
        units[half] = load_file(tmp_path / "a.features.safetensors")["units"].float()
        _engines.cache_clear()
    error = (units[True] - units[False]).pow(2).mean().sqrt() / units[False].std()
    assert 0 < error < 0.02
