"""Folders of the original, laid out as its scripts do, become work folders of ours."""

import os
import random
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from svcnb.cli import app
from svcnb.config import Config
from svcnb.dataset import SovitsDataset, features_path
from svcnb.prepare import DataError, import_features
from svcnb.training import train_sovits
from tests.prepare.conftest import record
from tests.training.conftest import HOP, prepared, small_config


@pytest.fixture
def originals(tmp_path):
    """A prepared folder in the original's files; and the same in ours."""
    ours, theirs = prepared(tmp_path / "ours", small_config()), tmp_path / "theirs"
    shutil.copytree(ours, theirs, ignore=shutil.ignore_patterns("*.safetensors"))
    for clip in sorted(theirs.glob("dataset/44k/*/*.wav")):
        features = load_file(features_path(ours / clip.relative_to(theirs)))
        torch.save(features["units"].T[None], f"{clip}.soft.pt")
        rows = [features["f0"].tolist(), features["uv"].tolist()]
        np.save(f"{clip}.f0.npy", np.array(rows, dtype=object))
        np.save(f"{clip}.vol.npy", features["volume"].numpy())
    return ours, theirs


def clips(folder):
    return sorted(folder.glob("dataset/44k/*/*.wav"))


def test_everything_comes_over_and_can_be_trained_on(originals, tmp_path):
    ours, theirs = originals
    report = import_features(theirs, tmp_path / "work")
    assert list(report.speakers) == ["ann", "bob"] and report.skipped == [] and report.train + report.val == 6
    config = Config.load(tmp_path / "work/configs/config.json")
    assert config.spk == {"ann": 0, "bob": 1} and config.model.ssl_dim == 6
    for clip in clips(ours):
        before = load_file(features_path(clip))
        after = load_file(features_path(tmp_path / "work" / clip.relative_to(ours)))
        assert set(before) == set(after)
        for name, values in before.items():
            torch.testing.assert_close(after[name].float(), values, rtol=1e-3, atol=1e-3)
    assert SovitsDataset(config, tmp_path / "work").item(0, random.Random(1)).units.shape[0] == 6
    (step,) = train_sovits(tmp_path / "work", max_steps=1, device="cpu")
    assert np.isfinite(list(step.losses.values())).all()


def test_spectra_come_over_too(originals, tmp_path):
    _, theirs = originals
    frames = len(load_file(features_path(clips(originals[0])[0]))["f0"])
    random_numbers = np.random.default_rng(0)
    mel, aug_mel = random_numbers.standard_normal((2, frames, 20)).astype(np.float32)
    spec = torch.rand(129, frames)
    for clip in clips(theirs):
        pair = np.empty(2, dtype=object)
        pair[0], pair[1] = aug_mel, -2.5
        torch.save(spec, clip.with_suffix(".spec.pt"))
        np.save(f"{clip}.mel.npy", mel)
        np.save(f"{clip}.aug_mel.npy", pair)
        np.save(f"{clip}.aug_vol.npy", np.full(frames, 0.25, np.float32))
    import_features(theirs, tmp_path / "work")
    found = load_file(features_path(clips(tmp_path / "work")[0]))
    assert torch.equal(found["spec"], spec.T) and found["aug_semitones"].item() == -2.5
    np.testing.assert_array_equal(found["mel"], mel)
    np.testing.assert_array_equal(found["aug_mel"], aug_mel)
    assert (found["aug_volume"] == 0.25).all()
    config = Config.load(tmp_path / "work/configs/config.json").copy_with(train={"vol_aug": False})
    item = SovitsDataset(config, tmp_path / "work", "val").item(0, random.Random(0))
    assert item.spec.shape[0] == 129 and torch.isin(item.spec, spec).all()


def test_what_the_original_itself_wrote_comes_over(golden, tmp_path):
    """A clip and the seven files that the original's script left beside it."""
    data = np.load(golden("features/process_one.npz"))
    spec = np.repeat(data["clip.spec.pt"], 3, axis=1)[:, : len(data["f0"])]  # every third frame is kept there
    aug_mel = np.empty(2, dtype=object)
    aug_mel[:] = data["aug_mel"], float(data["aug_keyshift"])
    for i in range(3):
        clip = record(tmp_path / f"theirs/dataset/44k/ann/{i}.wav", data["audio"])
        torch.save(torch.from_numpy(data["clip.soft.pt"]), f"{clip}.soft.pt")
        torch.save(torch.from_numpy(spec), clip.with_suffix(".spec.pt"))
        np.save(f"{clip}.f0.npy", np.array([data["f0"].tolist(), data["uv"].tolist()], dtype=object))
        np.save(f"{clip}.aug_mel.npy", aug_mel)
        for name in ("vol", "mel", "aug_vol"):
            np.save(f"{clip}.{name}.npy", data[f"clip.{name}.npy"])
    config = Config.preset("full", "vec256l9", ["ann"]).copy_with(model={"ssl_dim": 5})
    config.save(tmp_path / "theirs/configs/config.json")
    report = import_features(tmp_path / "theirs", tmp_path / "work")
    assert report.skipped == [] and report.train + report.val == 3
    found = load_file(features_path(tmp_path / "work/dataset/44k/ann/1.wav"))
    expected = {
        "units": data["clip.soft.pt"][0].T, "f0": data["f0"], "uv": data["uv"], "volume": data["clip.vol.npy"],
        "spec": spec.T, "mel": data["clip.mel.npy"], "aug_mel": data["aug_mel"], "aug_volume": data["clip.aug_vol.npy"],
        "aug_semitones": data["aug_keyshift"][None],
    }  # fmt: skip
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].float(), values, rtol=1e-6, atol=5e-4 if name == "units" else 1e-6)


def test_a_second_import_reads_only_what_has_changed(originals, tmp_path):
    _, theirs = originals
    import_features(theirs, tmp_path / "work")
    made = {path: path.stat().st_mtime_ns for path in clips(tmp_path / "work")}
    changed = clips(theirs)[2]
    torch.save(torch.ones(1, 6, 40), f"{changed}.soft.pt")
    import_features(theirs, tmp_path / "work")
    now = {path: path.stat().st_mtime_ns for path in clips(tmp_path / "work")}
    assert [path.name for path in made if made[path] != now[path]] == [changed.name]
    assert (load_file(features_path(tmp_path / "work" / changed.relative_to(theirs)))["units"] == 1).all()


def test_without_settings_the_width_of_the_units_tells_the_encoder(originals, tmp_path):
    _, theirs = originals
    shutil.rmtree(theirs / "configs")
    for clip in clips(theirs):
        torch.save(torch.zeros(1, 256, 60), f"{clip}.soft.pt")
        for name in ("f0", "vol"):
            values = np.load(f"{clip}.{name}.npy", allow_pickle=True)
            np.save(f"{clip}.{name}.npy", values[..., : values.shape[-1] * HOP // 512])
    import_features(theirs, tmp_path / "work")
    config = Config.load(tmp_path / "work/configs/config.json")
    assert config.model.speech_encoder == "vec256l9" and config.spk == {"ann": 0, "bob": 1}
    assert (tmp_path / "work/configs/diffusion.yaml").exists()


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda clip: os.remove(f"{clip}.f0.npy"), "lies no .f0.npy"),
        (lambda clip: torch.save(torch.zeros(1, 7, 40), f"{clip}.soft.pt"), "soft.pt has the shape"),
        (lambda clip: torch.save({"units": 1}, f"{clip}.soft.pt"), "holds no features"),
        (lambda clip: np.save(f"{clip}.vol.npy", np.zeros(9)), "has the shape"),
        (lambda clip: np.save(f"{clip}.vol.npy", np.full(125, np.nan)), "not numbers"),
        (lambda clip: clip.write_bytes(b""), "empty file"),
    ],
)
def test_what_does_not_fit_is_left_out_with_the_reason(originals, tmp_path, spoil, reason):
    _, theirs = originals
    spoil(clips(theirs)[0])
    report = import_features(theirs, tmp_path / "work")
    ((name, said),) = report.skipped
    assert name == "dataset/44k/ann/0.wav" and reason in said
    assert len(clips(tmp_path / "work")) == 5


def test_code_in_a_file_is_not_run(originals, tmp_path):
    class Calls:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/canary",)

    _, theirs = originals
    np.save(f"{clips(theirs)[0]}.f0.npy", np.array([[Calls()] * 125] * 2, dtype=object))
    report = import_features(theirs, tmp_path / "work")
    assert "nothing in it was run" in report.skipped[0][1] and not (tmp_path / "canary").exists()


def test_the_command_tells_what_came_over(originals, tmp_path):
    _, theirs = originals
    result = CliRunner().invoke(app, ["import-features", str(theirs), str(tmp_path / "work")])
    assert result.exit_code == 0 and "4 clips to train on" in result.output
    assert f"svcnb train {tmp_path / 'work'}" in result.output


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="name the folder from which"):
        import_features(tmp_path, tmp_path / "work")
    (tmp_path / "dataset/44k/ann").mkdir(parents=True)
    (tmp_path / "dataset/44k/ann/a.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"lies no \.soft\.pt"):
        import_features(tmp_path, tmp_path / "work")
