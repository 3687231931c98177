"""The training loader against the original's, and what it does beyond."""

import itertools
import json
import random

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from svcnb import audio
from svcnb.config import Config, DataConfig
from svcnb.dataset import Batches, DatasetError, SovitsDataset, collate, features_path, stored_spectrum
from svcnb.spectral import spectrogram

from .models.conftest import close


@pytest.fixture
def golden_data(golden, tmp_path):
    """The four golden clips as a work folder; returns a function of vol_aug that gives (arrays, data set)."""
    arrays = dict(np.load(golden("features/train_loader.npz")))
    config = Config.preset("tiny", speakers=["s1", "s2"])
    config.data.hop_length, config.data.filter_length, config.data.win_length = 16, 32, 32
    config.model.ssl_dim, config.train.segment_size = 3, 160
    names = []
    for i in arrays["order_va1"]:
        clip = tmp_path / f"dataset/44k/s{i % 2 + 1}/clip{i}.wav"
        wav = arrays[f"clip{i}_audio"].astype(np.float32) / 32768
        audio.save(clip, wav, 44100)
        features = {"units": arrays[f"clip{i}_c"][0].T, "f0": arrays[f"clip{i}_f0"], "uv": arrays[f"clip{i}_uv"]}
        features["volume"] = audio.volume(wav, 16)
        save_file({k: np.ascontiguousarray(v, np.float32) for k, v in features.items()}, features_path(clip))
        names.append(clip.relative_to(tmp_path).as_posix())
    (tmp_path / "filelists").mkdir()
    (tmp_path / "filelists/train.txt").write_text("\n".join(names) + "\n")

    def build(vol_aug: bool) -> SovitsDataset:
        changed = config.copy_with(
            train={"vol_aug": vol_aug},
            model={"vol_embedding": vol_aug},
            data={"unit_interpolate_mode": "nearest" if vol_aug else "left"},
        )
        return SovitsDataset(changed, tmp_path)

    return arrays, build


@pytest.mark.parametrize("vol_aug", [True, False])
def test_items_and_batch_are_the_originals(golden_data, vol_aug):
    arrays, build = golden_data
    data, rng, name = build(vol_aug), random.Random(99), f"va{int(vol_aug)}"
    items = [data.item(i, rng) for i in range(4)]
    for i, item in enumerate(items):
        get = lambda key, i=i: arrays[f"{name}_item{i}_{key}"]
        close(item.units, get("c"), 0, 0), close(item.f0, get("f0"), 1e-6), close(item.wav, get("audio"), 1e-6)
        assert item.speaker == get("spk")[0]
        assert torch.equal(item.uv, torch.from_numpy(get("uv")))
        close(item.spec[:, :-2], get("spec")[:, :-2], 1e-4)  # a louder clip's last frames: the original cuts it first
        if vol_aug:
            close(item.volume, get("volume"), 1e-6)
    batch = collate(items)
    assert batch.units.shape == tuple(arrays[f"{name}_batch_c_shape"])
    assert batch.lengths.tolist() == arrays[f"{name}_batch_lengths"].tolist()
    assert batch.speaker.tolist() == arrays[f"{name}_batch_spkids"][:, 0].tolist()
    close(batch.f0, arrays[f"{name}_batch_f0"], 1e-6)
    assert (batch.volume is None) == (not vol_aug)


def test_a_stretch_depends_only_on_its_key(golden_data):
    data = golden_data[1](False)
    assert torch.equal(data[1, "a"].wav, data[1, "a"].wav)
    assert not torch.equal(data[1, "a"].wav, data[1, "b"].wav)


def test_told_loudness_errs_in_training_only(golden_data):
    data = golden_data[1](True)
    data.config.train.vol_aug, told = False, {}
    for decibels in (0.0, 6.0):
        data.config.train.vol_jitter = decibels
        told[decibels] = [data.item(0, random.Random(str(key))) for key in range(40)]
    right, wrong = (torch.stack([item.volume[:100] for item in told[decibels]]) for decibels in (0.0, 6.0))
    error = 20 * torch.log10(wrong / right)
    assert 3.5 < error.std() < 6.5 and error.std(0).min() > 2  # the knots err by 6, what lies between them by less
    assert error.diff(dim=1).abs().max() < 3
    assert torch.equal(told[0.0][0].wav, told[6.0][0].wav)
    data.training = False
    held_back = data.item(0, random.Random(0)).volume
    data.config.train.vol_jitter = 0.0
    assert torch.equal(held_back, data.item(0, random.Random(0)).volume)


def test_pitch_augmentation_moves_pitch_and_sound_together(golden_data, tmp_path):
    data = golden_data[1](False)
    hop, frames = 16, 800
    f0, t = 441.0, np.arange(frames * hop) / 44100
    clip = data.clips[0]
    audio.save(clip, 0.5 * np.sin(2 * np.pi * f0 * t).astype(np.float32), 44100)
    features = {
        "units": np.zeros((400, 3)),
        "f0": np.full(frames, f0),
        "uv": np.ones(frames),
        "volume": np.ones(frames),
    }
    save_file({k: v.astype(np.float32) for k, v in features.items()}, features_path(clip))
    data.config.train.pitch_aug = 12.0
    shifted = {round(data[0, str(key)].f0[0].item(), 2) for key in range(5)}
    assert len(shifted) == 5
    item = data[0, "3"]
    power = np.abs(np.fft.rfft(item.wav[0].numpy() * np.hanning(item.wav.shape[1]), 1 << 18))
    assert power.argmax() * 44100 / (1 << 18) == pytest.approx(item.f0[0].item(), rel=0.005)


def test_a_short_clip_is_padded_to_a_segment(golden_data):
    data = golden_data[1](False)
    data.config.train.segment_size = 16 * 400
    item = data.item(0, random.Random(0))
    assert item.wav.shape[1] == 16 * 400 and len(item.f0) == 400 and item.f0[-1] == 0


def test_batches_resume_and_share():
    first = list(itertools.islice(Batches(10, 3, seed=1), 9))
    assert list(itertools.islice(Batches(10, 3, seed=1, step=5), 4)) == first[5:]
    epoch = [clip for batch in first[:4] for clip, _ in batch]
    assert sorted(epoch) == list(range(10))
    assert [clip for batch in first[4:8] for clip, _ in batch] != epoch
    joint = Batches(10, 4, seed=1)
    halves = [Batches(10, 2, seed=1, rank=rank, world=2) for rank in (0, 1)]
    for whole, a, b in itertools.islice(zip(joint, *halves, strict=True), 5):
        assert sorted(whole) == sorted(a + b)


def test_damaged_or_foreign_data_is_refused(golden_data, tmp_path):
    data = golden_data[1](False)
    features_path(data.clips[0]).write_bytes(b"no features")
    with pytest.raises(DatasetError, match="missing or damaged: prepare the data again"):
        data[0, ""]
    features = load_file(features_path(data.clips[1]))
    for name in ("units", "f0", "volume"):
        broken = {key: value.copy() for key, value in features.items()}
        broken[name][3] = np.inf
        save_file(broken, features_path(data.clips[1]))
        with pytest.raises(DatasetError, match=f"holds values of {name} that are not numbers: delete it and prepare"):
            data[1, ""]
    save_file(features, features_path(data.clips[1]))
    data.config.model.ssl_dim = 5
    with pytest.raises(DatasetError, match="3 dimensions, but the config says 5"):
        data[1, ""]
    with pytest.raises(DatasetError, match=r"does not name"):
        _without_speaker(data, tmp_path)
    with pytest.raises(DatasetError, match="prepare the data first"):
        SovitsDataset(data.config, tmp_path / "elsewhere")


def _without_speaker(data, work):
    data.config.spk = {"s1": 0}
    return SovitsDataset(data.config, work)


def test_a_stored_spectrogram_is_read_in_place_of_a_computed_one(golden_data):
    _, build = golden_data
    data = build(False)
    computed = [data.item(i, random.Random(99)) for i in range(4)]
    for path in data.clips:
        wav = torch.from_numpy(audio.load(path)[0])[None]
        add(path, spec=spectrogram(wav, 32, 16, 32)[0].T.numpy())
    for before, after in zip(computed, (data.item(i, random.Random(99)) for i in range(4)), strict=True):
        torch.testing.assert_close(after.spec, before.spec, rtol=1e-4, atol=1e-5)
    for path in data.clips:
        add(path, spec=np.full((len(audio.load(path)[0]) // 16, 17), 7))
    assert (data.item(0, random.Random(99)).spec == 7).all()  # it is the stored one
    data.config.data.filter_length = 64  # the stored one is of no use
    assert data.item(0, random.Random(99)).spec.shape[0] == 33


def test_of_four_gigabytes_of_spectrogram_only_the_frames_asked_for_are_read(tmp_path):
    resource, clip = pytest.importorskip("resource"), tmp_path / "long.wav"
    row = {"dtype": "F32", "shape": [10**6, 1025], "data_offsets": [0, 4 * 1025 * 10**6]}
    head = json.dumps({"spec": row}).encode()
    with open(features_path(clip), "wb") as file:  # zeros that take no room on the disk
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(8 + len(head) + row["data_offsets"][1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert stored_spectrum(clip, slice(5000, 5040), DataConfig()).shape == (1025, 40)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10**6  # kB


def test_a_louder_clip_has_a_spectrogram_of_its_own(golden_data):
    _, build = golden_data
    data = build(True)
    for path in data.clips:
        add(path, spec=np.full((len(audio.load(path)[0]) // 16, 17), 7))
    stored = [(data.item(0, random.Random(seed)).spec == 7).all().item() for seed in range(10)]
    assert {True, False} == set(stored)


def add(clip, **arrays):
    features = load_file(features_path(clip)) | {k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}
    save_file(features, features_path(clip))
