"""A hostile file in place of every kind of file that we read: it is refused in a sentence, and nothing in it runs."""

import io
import os
import pickle
from pathlib import Path

import pytest
import torch
import yaml

from svcnb import checkpoint, encoders, f0, retrieval
from svcnb.config import Config, DiffusionConfig, VocoderConfig
from svcnb.dataset import features_path, read_clip
from svcnb.mixing import Timeline, mix_models
from svcnb.models.sovits import Sovits
from svcnb.prepare.features import read_fingerprint
from svcnb.prepare.manifest import Manifest
from svcnb.training.state import State
from tests.test_checkpoint import small
from tests.test_fuzz import VOCODER


class Touch:
    """Pickles as `os.system("touch canary")`."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self.canary}'",)


def pickled(content) -> bytes:
    return pickle.dumps(content)


def zipped(content) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def streamed(content) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def resume(path):
    try:
        State({"generator": torch.nn.Linear(1, 1)}, {}).load(path)
    finally:
        assert path.exists()


def features(path):
    clip = path.with_name("a.wav")
    os.replace(path, features_path(clip))
    assert read_fingerprint(clip) is None
    read_clip(clip, 44100, 512, 64, "left")


READERS = {
    "voice": ("G_1.pth", checkpoint.load_sovits),
    "own voice": ("voice.safetensors", checkpoint.load_sovits),
    "base voice": ("G_0.pth", lambda path: checkpoint.load_base(path, Sovits(small()))),
    "critic": ("D_0.pth", lambda path: checkpoint.load_base(path, torch.nn.Linear(1, 1))),
    "diffusion": ("model_1.pt", checkpoint.load_diffusion),
    "vocoder": ("model", lambda path: checkpoint.load_vocoder(path.parent)),
    "compressed": ("G_2.pth", lambda path: checkpoint.compress(path, path.with_name("G_3.pth"))),
    "mixed": ("G_4.pth", lambda path: mix_models([path, path], [50, 50])),
    "clusters": ("kmeans_10000.pt", retrieval.load),
    "index": ("feature_and_index.pkl", retrieval.load),
    "own clusters": ("clusters.safetensors", retrieval.load),
    "state of a training": ("state.pt", resume),
    "features": ("features", features),
    **{f"encoder {name}": ("weights.pt", lambda path, name=name: encoders.get(name, path, "cpu")) for name in (
        "vec768l12", "cnhubertlarge", "hubertsoft", "wavlmbase+", "dphubert", "whisper-ppg-base", "lesson")},
    **{f"predictor {name}": ("weights.pt", lambda path, name=name: f0.get(name, path=path, device="cpu")) for name in (
        "rmvpe", "fcpe", "crepe")},
}  # fmt: skip


@pytest.mark.parametrize("write", [pickled, zipped, streamed])
@pytest.mark.parametrize("kind", READERS)
def test_no_reader_runs_a_pickle(tmp_path, kind, write):
    name, read = READERS[kind]
    small().save(tmp_path / "config.json")
    if kind == "vocoder":
        VocoderConfig(**VOCODER).save(tmp_path / "config.json")
    DiffusionConfig.preset().save(tmp_path / "config.yaml")
    canary = tmp_path / "canary"
    content = {"model": {"weight": torch.zeros(1)}, "generator": {}, "trap": Touch(canary)}
    (tmp_path / name).write_bytes(write(content))
    with pytest.raises(ValueError) as error:
        read(tmp_path / name)
    assert not canary.exists()
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_the_trap_is_one(tmp_path):
    pickle.loads(pickled(Touch(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("kind, name", [(Config, "config.json"), (DiffusionConfig, "diffusion.yaml")])
def test_no_config_runs_anything(tmp_path, kind, name):
    canary = tmp_path / "canary"
    text = f"spk: !!python/object/apply:os.system ['touch {canary}']\n"
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name):
        kind.load(tmp_path / name)
    assert not canary.exists()
    yaml.unsafe_load(text)
    assert canary.exists()


def test_no_mix_runs_anything(tmp_path):
    canary = tmp_path / "canary"
    for line in (f"spk_mix_map = open({str(canary)!r}, 'w')", f"open({str(canary)!r}, 'w')\nspk_mix_map = {{0: []}}"):
        (tmp_path / "spkmix.py").write_text(line)
        try:
            Timeline.load(tmp_path / "spkmix.py")
        except ValueError as error:
            assert "no tracks that can be read" in str(error)
        assert not canary.exists()


def test_no_manifest_runs_anything(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/manifest.json").write_bytes(pickled(Touch(tmp_path / "canary")))
    assert Manifest.load(tmp_path).recordings == {} and not Path(tmp_path / "canary").exists()
