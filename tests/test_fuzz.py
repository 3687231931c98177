"""Damaged and hostile files of every kind we read: each gives a result or one clear sentence, never a crash or a hang.

The same few dozen damages every time; `SVCNB_FUZZ=3000 pytest tests/test_fuzz.py` tries as many new ones of each kind.
"""

import io
import json
import os

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from svcnb import audio, checkpoint, retrieval
from svcnb.audio import AudioError
from svcnb.checkpoint import CheckpointError
from svcnb.config import Config, ConfigError, DiffusionConfig, VocoderConfig
from svcnb.dataset import DatasetError, read_clip
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.sovits import Sovits
from svcnb.retrieval import Clusters, Index
from tests.test_checkpoint import small

VOCODER = dict(
    sampling_rate=44100, num_mels=128, n_fft=2048, hop_size=512, win_size=2048, fmin=40, fmax=16000, resblock="1",
    resblock_kernel_sizes=[3, 7], resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], upsample_rates=[8, 8, 8],
    upsample_kernel_sizes=[16, 16, 16], upsample_initial_channel=64,
)  # fmt: skip
MORE = int(os.environ.get("SVCNB_FUZZ", 0))
hard = settings(
    max_examples=MORE or 40,
    derandomize=not MORE,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def damages(draw):
    """A function that spoils bytes: cuts them, overwrites some, repeats or removes a stretch."""
    kinds = st.sampled_from(["cut", "set", "del", "dup"])
    damage = st.tuples(kinds, st.floats(0, 1), st.binary(min_size=1, max_size=9))
    cuts = draw(st.lists(damage, min_size=1, max_size=5))
    near_start = draw(st.booleans())  # headers are where it hurts

    def spoil(data: bytes) -> bytes:
        for kind, where, what in cuts:
            at = int(where * min(len(data), 200 if near_start else len(data)))
            size = len(what)
            if kind == "cut":
                data = data[: max(1, at)]
            elif kind == "set":
                data = data[:at] + what + data[at + size :]
            elif kind == "del":
                data = data[:at] + data[at + size :]
            else:
                data = data[:at] + data[at : at + 16 * size] + data[at:]
        return data

    return spoil


def sound(kind: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(4000) / 20), 22050, format=kind, subtype=subtype)
    return file.getvalue()


SOUNDS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


@pytest.mark.parametrize("kind, subtype", SOUNDS)
def test_damaged_sound(tmp_path, kind, subtype):
    whole, path = sound(kind, subtype), tmp_path / f"sound.{kind.lower()}"

    @hard
    @given(damages())
    def read(spoil):
        path.write_bytes(spoil(whole))
        try:
            wav, rate = audio.load(path)
        except AudioError as error:
            assert path.name in str(error)
        else:
            assert wav.ndim == 1 and len(wav) and np.isfinite(wav).all() and rate > 0

    read()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw, tree: dict):
    """The tree with some of its values replaced or removed."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        place = tree
        while True:
            key = draw(st.sampled_from(sorted(place)))
            if not (isinstance(place[key], dict) and place[key] and draw(st.booleans())):
                break
            place = place[key]
        if draw(st.booleans()):
            place[key] = draw(json_values)
        else:
            del place[key]
        if not place:
            break
    return tree


@pytest.mark.parametrize("kind", [Config, DiffusionConfig, VocoderConfig])
def test_altered_configs(tmp_path, kind):
    path = tmp_path / ("config.yaml" if kind is DiffusionConfig else "config.json")
    {Config: small, DiffusionConfig: DiffusionConfig.preset, VocoderConfig: lambda: VocoderConfig(**VOCODER)}[
        kind
    ]().save(path)
    text = path.read_text()
    tree = yaml.safe_load(text)

    @hard
    @given(altered(tree))
    def read(tree):
        path.write_text(json.dumps(tree))  # which is YAML, too, and quicker to write
        check(path)

    @hard
    @given(damages())
    def read_bytes(spoil):
        path.write_bytes(spoil(text.encode()))
        check(path)

    def check(path):
        try:
            config = kind.load(path)
        except ConfigError as error:
            assert path.name in str(error)
        else:
            config.save(tmp_path / f"again{path.suffix}")  # what is accepted can be written

    read()
    read_bytes()


def some_units() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((90, 10)).astype(np.float32) for name in ("anna", "ben")}


def write_voice(folder):
    config = small()
    checkpoint.save_sovits(folder / "voice.safetensors", Sovits(config), config)
    return "voice.safetensors", checkpoint.load_sovits


def write_original(folder):
    config = small()
    config.save(folder / "config.json")
    checkpoint.save_original(folder / "G_1.pth", Sovits(config), config)
    return "G_1.pth", checkpoint.load_sovits


def write_clusters(folder):
    checkpoint.save_clusters(folder / "kmeans.pt", Clusters(some_units()))
    return "kmeans.pt", retrieval.load


def write_index(folder):
    checkpoint.save_index(folder / "feature_and_index.pkl", Index.fit(enumerate(some_units().values())))
    return "feature_and_index.pkl", retrieval.load


def write_own_index(folder):
    checkpoint.save_index(folder / "index.safetensors", Index.fit(enumerate(some_units().values())))
    return "index.safetensors", retrieval.load


def small_diffusion() -> DiffusionConfig:
    return DiffusionConfig.preset("lesson").copy_with(model=dict(n_layers=1, n_chans=8, n_hidden=4))


def write_diffusion(folder):
    config = small_diffusion()
    checkpoint.save_diffusion(folder / "diffusion.safetensors", Unit2Mel(config), config)
    return "diffusion.safetensors", checkpoint.load_diffusion


def write_original_diffusion(folder):
    config = small_diffusion()
    config.save(folder / "config.yaml")
    checkpoint.save_original_diffusion(folder / "model_1.pt", Unit2Mel(config))
    return "model_1.pt", checkpoint.load_diffusion


def write_vocoder(folder):
    config = VocoderConfig(**VOCODER | {"upsample_initial_channel": 16})
    checkpoint.save_original_vocoder(folder, checkpoint.new_vocoder(config))
    return "model", checkpoint.load_vocoder


def write_features(folder):
    audio.save(folder / "a.wav", np.full(5120, 0.1, np.float32), 44100)
    shapes = {"units": (12, 4), "f0": (10,), "uv": (10,), "volume": (10,)}
    save_file({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, folder / "a.features.safetensors")
    return "a.features.safetensors", lambda path: read_clip(folder / "a.wav", 44100, 512, 4, "left")


WRITERS = [write_voice, write_original, write_diffusion, write_original_diffusion, write_vocoder, write_clusters,
           write_index, write_own_index, write_features]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_damaged_models(tmp_path, write):
    name, load = write(tmp_path)
    path, whole = tmp_path / name, (tmp_path / name).read_bytes()
    load(path)

    @hard
    @given(damages())
    def read(spoil):
        path.write_bytes(spoil(whole))
        try:
            load(path)
        except (CheckpointError, ConfigError, DatasetError) as error:
            assert path.name.removesuffix(".features.safetensors") in str(error)

    read()


def test_a_voice_with_an_altered_config(tmp_path):
    name, load = write_original(tmp_path)
    path = tmp_path / "config.json"
    tree = json.loads(path.read_text())

    @hard
    @given(altered(tree))
    def read(tree):
        path.write_text(json.dumps(tree))
        try:
            load(tmp_path / name)
        except (CheckpointError, ConfigError) as error:
            assert path.name in str(error) or name in str(error)

    read()
