"""Model files, own and original: what goes in comes out, what does not fit is said, nothing is left half written."""

import json
import logging
import os
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from svcnb.checkpoint import (
    CheckpointError,
    clean,
    compress,
    latest,
    load_base,
    load_sovits,
    read_torch,
    save_discriminator,
    save_original,
    save_sovits,
)
from svcnb.config import Config, ConfigError
from svcnb.models.discriminators import Discriminator
from svcnb.models.norms import fold_weight_norm
from svcnb.models.sovits import Sovits
from tests.models.conftest import close, zero_noise

SMALL = dict(
    inter_channels=8, hidden_channels=8, filter_channels=16, n_layers=1, gin_channels=6, ssl_dim=10,
    resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]], upsample_rates=[8, 8, 8],
    upsample_kernel_sizes=[16, 16, 16], upsample_initial_channel=16, p_dropout=0.0,
)  # fmt: skip


def small(speakers=2, **model) -> Config:
    """A config of a network of a few thousand weights."""
    config = Config.preset("full", speakers=[f"singer {i}" for i in range(speakers)])
    return config.copy_with(model=SMALL | model, data={"filter_length": 62})


def inputs(config: Config, frames=6) -> dict:
    rand = lambda *shape: torch.rand(*shape, generator=torch.Generator().manual_seed(1))
    return dict(
        units=rand(1, config.model.ssl_dim, frames), f0=200 + 100 * rand(1, frames), uv=torch.ones(1, frames),
        speaker=torch.zeros(1, dtype=torch.long), volume=rand(1, frames),
    )  # fmt: skip


def sing(model, config) -> torch.Tensor:
    return model.eval().infer(**inputs(config), generator=torch.Generator().manual_seed(0))[0]


@pytest.fixture
def config():
    return small()


@pytest.fixture
def model(config):
    return Sovits(config).eval()


# the original's files


@pytest.fixture(scope="module")
def original(golden):
    return lambda name: golden(f"sovits/checkpoint/{name}")


@pytest.mark.parametrize("auto_f0", [False, True])
@pytest.mark.parametrize("name", ["full", "release", "release_half"])
def test_original_files_sing_what_they_sang(original, name, auto_f0):
    file = "G_tiny.pth" if name == "full" else f"G_tiny_{name}.pth"
    model, config = load_sovits(original(file), original("config.json"))
    assert not model.training and {p.dtype for p in model.parameters()} == {torch.float32}
    assert list(config.spk) == ["alpha", "beta", "gamma"]
    g = load_file(original("expected.safetensors"))
    get = lambda part: g[f"{name.replace('half', 'half_as_float32')}{'.predict_f0' if auto_f0 else ''}.{part}"]
    arguments = dict(speaker=g["sid"][0], volume=g["vol"], noise_scale=0.4, auto_f0=auto_f0)
    atol = 2e-4 if auto_f0 else 2e-5
    audio, f0 = model.infer(g["c"], g["f0"], g["uv"], **arguments, generator=torch.Generator().manual_seed(52468))
    close(audio, get("audio"), atol)
    close(f0, get("f0"))
    with zero_noise():
        audio, _ = model.infer(g["c"], g["f0"], g["uv"], **arguments)
    close(audio, get("audio_zero_noise"), atol)


def test_config_beside_an_original_file_is_found(original):
    _, config = load_sovits(original("G_tiny.pth"))
    assert config.tree() == json.loads(original("config.json").read_text())


def test_odd_old_file_is_refused_and_forgiven_like_the_original_does(original, caplog):
    path = original("G_tiny_legacy.pth")
    with pytest.raises(
        CheckpointError, match=r"emb_g.weight of .* is 7×12 in the file but 3×12 by the config: .*n_spe"
    ):
        load_sovits(path)
    with caplog.at_level(logging.WARNING):
        load_sovits(path, forgiving=True)
    kept, unused = (record.args[2].split(", ") for record in caplog.records)
    assert kept == json.loads(original("legacy_expected.json").read_text())["reported_keys"]
    assert unused == ["enc_p.legacy_extra.weight"]


def test_compressing_an_original_file_equals_the_original_tool(original, tmp_path):
    for name, half in (("release", False), ("release_half", True)):
        compress(original("G_tiny.pth"), tmp_path / "out.pth", half)
        ours, theirs = read_torch(tmp_path / "out.pth"), read_torch(original(f"G_tiny_{name}.pth"))
        assert list(ours) == list(theirs) and list(ours["model"]) == list(theirs["model"])
        assert all(torch.equal(ours["model"][key], value) for key, value in theirs["model"].items())
        assert {key: ours[key] for key in ours if key != "model"} == {k: theirs[k] for k in theirs if k != "model"}


def test_saving_as_original_gives_back_the_original_file(original, tmp_path):
    theirs = torch.load(original("G_tiny.pth"), weights_only=True)
    model, config = load_sovits(original("G_tiny.pth"))
    optimizer = torch.optim.AdamW(model.parameters())
    optimizer.load_state_dict(theirs["optimizer"])
    save_original(tmp_path / "G_1.pth", model, config, optimizer, iteration=7)
    ours = torch.load(tmp_path / "G_1.pth", weights_only=True)
    assert list(ours) == list(theirs) and list(ours["model"]) == list(theirs["model"])
    assert all(torch.equal(ours["model"][key], value) for key, value in theirs["model"].items())
    assert (ours["iteration"], ours["learning_rate"]) == (theirs["iteration"], theirs["learning_rate"])
    moments = [[m for s in file["optimizer"]["state"].values() for m in s.values()] for file in (ours, theirs)]
    assert len(moments[0]) == len(moments[1]) and all(map(torch.equal, *moments))


def test_latest_and_clean_as_the_original(golden, tmp_path):
    for i, case in enumerate(json.loads(golden("sovits/checkpoint_housekeeping.json").read_text())):
        folder = tmp_path / str(i)
        folder.mkdir()
        for name, time in case["files"]:
            (folder / name).touch()
            os.utime(folder / name, (time, time))
        for pattern, newest in case["latest"].items():
            assert latest(folder, pattern[:2]) == (folder / newest if newest else None)
        clean(folder, case["n_ckpts_to_keep"], by_time=case["sort_by_time"])
        assert sorted(path.name for path in folder.iterdir()) == case["remaining"]


def test_latest_counts_steps_not_digits_of_the_path(tmp_path):
    for folder in ("v2_99", "v1"):
        (tmp_path / folder).mkdir()
    for name in ("G_9.pth", "G_10.safetensors", "G_best.pth", "G_11.pth.part", "D_12.pth"):
        (tmp_path / "v2_99" / name).touch()
    assert latest(tmp_path / "v2_99").name == "G_10.safetensors"
    assert latest(tmp_path / "v2_99", "G_0") is None
    assert latest(tmp_path / "v1") is None
    assert latest(tmp_path / "nowhere") is None


@pytest.mark.parametrize(("keep", "left"), [(1, 2), (2, 3), (3, 4), (4, 4), (5, 4), (0, 4)])
def test_clean_keeps_no_fewer_than_asked(keep, left, tmp_path):
    for step in (0, 100, 200, 1000):
        (tmp_path / f"G_{step}.safetensors").touch()
    clean(tmp_path, keep)
    assert len(list(tmp_path.iterdir())) == left
    assert latest(tmp_path).name == "G_1000.safetensors"


# our own files

VARIANTS = {
    "plain": {},
    "loudness, snake": dict(vol_embedding=True, vocoder_name="nsf-snake-hifigan"),
    "shared flow": dict(flow_share_parameter=True),
    "shared transformer flow": dict(flow_share_parameter=True, use_transformer_flow=True, n_flow_layer=2),
    "no pitch decoder": dict(use_automatic_f0_prediction=False),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_saved_models_come_back(variant, suffix, tmp_path):
    config = small(**VARIANTS[variant])
    model, path = Sovits(config), tmp_path / f"G_1{suffix}"
    if suffix == ".pth":
        save_original(path, model, config)
        config.save(tmp_path / "config.json")
    else:
        save_sovits(path, model, config)
    again, its_config = load_sovits(path)
    assert its_config.tree() == config.tree()
    assert not again.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    torch.testing.assert_close(sing(again, config), sing(model, config), rtol=0, atol=0)


def test_own_files_hold_shared_tensors_once(tmp_path):
    config = small(flow_share_parameter=True)
    save_sovits(tmp_path / "a.safetensors", Sovits(config), config)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        keys = set(file.keys())
        assert {"format", "kind", "config"} == set(file.metadata())
    assert "flow.wn.cond_layer.bias" in keys and not any(key.startswith("flow.flows.0.enc") for key in keys)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_for_release(config, model, suffix, tmp_path):
    path, small_path = tmp_path / f"G{suffix}", tmp_path / f"release{suffix}"
    if suffix == ".pth":
        save_original(path, model, config)
        config.save(tmp_path / "config.json")
    else:
        save_sovits(path, model, config)
    compress(path, small_path, half=True)
    released, _ = load_sovits(small_path)
    assert small_path.stat().st_size < 0.6 * path.stat().st_size
    assert {p.dtype for p in released.parameters()} == {torch.float32}
    torch.testing.assert_close(sing(released, config), sing(model, config), rtol=0.02, atol=0.02)


def test_half_files_are_read_as_float32(config, model, tmp_path):
    save_sovits(tmp_path / "half.safetensors", model, config, half=True)
    again, _ = load_sovits(tmp_path / "half.safetensors")
    assert torch.equal(again.pre.weight, model.pre.weight.half().float())


def test_a_failed_save_leaves_the_file_that_was(config, model, tmp_path, monkeypatch):
    save_sovits(tmp_path / "G_1.safetensors", model, config)
    before = (tmp_path / "G_1.safetensors").read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    for save, name in ((save_sovits, "G_1.safetensors"), (save_original, "G_1.pth")):
        with pytest.raises(OSError, match="the disk is full"):
            save(tmp_path / name, model, config)
    assert [path.name for path in tmp_path.iterdir()] == ["G_1.safetensors"]
    assert (tmp_path / "G_1.safetensors").read_bytes() == before


def test_folded_models_are_not_saved(config, model, tmp_path):
    fold_weight_norm(model)
    for save in (save_sovits, save_original):
        with pytest.raises(CheckpointError, match="were folded"):
            save(tmp_path / "a.safetensors", model, config)


# starting from a trained model


@pytest.mark.parametrize("save", [save_sovits, save_original])
def test_base_model_of_other_speakers(config, model, save, tmp_path, caplog):
    path = tmp_path / ("G_0.pth" if save is save_original else "G_0.safetensors")
    save(path, model, config)
    other = Sovits(small(speakers=5, vol_embedding=True))
    speakers = other.emb_g.weight.detach().clone()
    with caplog.at_level("INFO"):
        kept = load_base(path, other)
    assert kept == ["emb_g.weight", "emb_vol.weight", "emb_vol.bias"]
    assert "emb_g.weight" in caplog.text
    assert torch.equal(other.emb_g.weight, speakers) and torch.equal(other.pre.weight, model.pre.weight)


def test_base_model_of_another_architecture_is_refused(config, model, tmp_path):
    save_sovits(tmp_path / "G_0.safetensors", model, config)
    with pytest.raises(CheckpointError, match=r"is .* in the file but .*model\.filter_channels"):
        load_base(tmp_path / "G_0.safetensors", Sovits(small(filter_channels=20)))


def test_base_model_of_another_speech_encoder_keeps_its_first_layer(config, model, tmp_path):
    save_sovits(tmp_path / "G_0.safetensors", model, config)
    assert load_base(tmp_path / "G_0.safetensors", Sovits(small(ssl_dim=7))) == ["pre.weight"]


def test_base_discriminator(config, model, tmp_path):
    critics = [Discriminator(width=1 / 64) for _ in range(2)]
    save_discriminator(tmp_path / "D_0.safetensors", critics[0], config)
    save_original(tmp_path / "D_0.pth", critics[0], config)
    for name in ("D_0.safetensors", "D_0.pth"):
        assert load_base(tmp_path / name, critics[1]) == []
        assert all(map(torch.equal, critics[0].parameters(), critics[1].parameters()))
        torch.nn.init.zeros_(critics[1].discriminators[0].conv_post.bias)
        with pytest.raises(CheckpointError, match="a model is G_…, its discriminator is D_…"):
            load_base(tmp_path / name, model)
    with pytest.raises(CheckpointError, match=r"train\.disc_width"):
        load_base(tmp_path / "D_0.pth", Discriminator(width=1 / 32))
    with pytest.raises(CheckpointError, match="holds a discriminator, not a voice model"):
        load_sovits(tmp_path / "D_0.safetensors")


# files and configs that do not go together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(n_speakers=200), r"emb_g.weight of .* is 2×6 in the file but 200×6 by the config: set model.n_speakers"),
        (dict(vol_embedding=True), r"emb_vol.weight of .* is not in the file: set model.vol_embedding"),
        (dict(n_layers=2), r"enc_p.enc_.*is not in the file: set model.n_layers"),
        (dict(use_depthwise_conv=True), "model.use_depthwise_conv"),
        (dict(use_transformer_flow=True), "model.use_transformer_flow"),
        (dict(vocoder_name="nsf-snake-hifigan"), "model.vocoder_name"),
        (dict(n_flow_layer=3), r"flow.flows.0.enc.res_.* is 16 in the file but 8 by .*model.n_flow_layer"),
        (dict(resblock_kernel_sizes=[5]), "model.resblock_kernel_sizes"),
        (dict(ssl_dim=7), "model.ssl_dim"),
        (dict(sawtooth=True), r"is 1×9 in the file but 1×10 by the config: set model.sawtooth"),
    ],
)
def test_a_config_that_does_not_fit_is_named(config, model, changes, message, tmp_path):
    save_sovits(tmp_path / "a.safetensors", model, config)
    with pytest.raises(CheckpointError, match=message) as error:
        load_sovits(tmp_path / "a.safetensors", small(**changes).copy_with(model=changes))
    assert "\n" not in str(error.value)
    load_sovits(tmp_path / "a.safetensors", config.copy_with(model=changes), forgiving=True)


def test_parts_that_the_config_leaves_out(tmp_path):
    config = small(vol_embedding=True, n_layers=2)
    save_sovits(tmp_path / "a.safetensors", Sovits(config), config)
    with pytest.raises(
        CheckpointError, match=r"has emb_vol.bias, which the config leaves out: see model.vol_embedding"
    ):
        load_sovits(tmp_path / "a.safetensors", config.copy_with(model={"vol_embedding": False}))
    with pytest.raises(CheckpointError, match=r"has enc_p.enc_.* which the config leaves out: see model.n_layers"):
        load_sovits(tmp_path / "a.safetensors", config.copy_with(model={"n_layers": 1}))
    model, _ = load_sovits(tmp_path / "a.safetensors", small(vol_embedding=True, n_layers=2,
                           use_automatic_f0_prediction=False))  # fmt: skip
    assert model.f0_decoder is None


def test_broken_training_is_refused(config, model, tmp_path):
    model.dec.conv_pre.weight_g.data[0] = float("nan")
    save_sovits(tmp_path / "a.safetensors", model, config)
    with pytest.raises(CheckpointError, match=r"dec.conv_pre.weight_g .* no numbers"):
        load_sovits(tmp_path / "a.safetensors")


def test_files_that_are_none(config, model, tmp_path):
    own, original = tmp_path / "a.safetensors", tmp_path / "a.pth"
    save_sovits(own, model, config)
    save_original(original, model, config)
    state = {"a": torch.zeros(1)}
    metadata = {"format": "1", "kind": "sovits"}

    def refused(message, path=own, error=CheckpointError):
        with pytest.raises(error, match=message) as caught:
            load_sovits(path)
        assert "\n" not in str(caught.value)

    refused("There is no file", tmp_path / "none.pth")
    refused("There is no file", tmp_path)
    refused("needs the config.json that was made with it", original)
    own.write_bytes(own.read_bytes()[:-9])
    refused("cut short or no safetensors file")
    own.write_bytes(b"")
    refused("cut short or no safetensors file")
    own.write_text("hello")
    refused("cut short or no safetensors file")
    save_file(state, own)
    refused("was not written by svcnb")
    save_file(state, own, metadata | {"format": "2"})
    refused("was written by a newer svcnb")
    save_file(state, own, metadata)
    refused("holds no readable config")
    for config_text in ("{", "[" * 100_000):
        save_file(state, own, metadata | {"config": config_text})
        refused("holds no readable config")
    save_file(state, own, metadata | {"config": '{"model": {}}'})
    refused("is missing", error=ConfigError)
    save_file(state, own, metadata | {"config": json.dumps(small(upsample_rates=[2]).tree())})
    refused("No network can be built from the config")
    torch.save([1], original)
    refused("no part called 'model'", original)
    with pytest.raises(CheckpointError, match=r"should end in .pth"):
        compress(original, tmp_path / "b.safetensors")


def test_config_by_path(config, model, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    config.save(tmp_path / "elsewhere/config.json")
    save_original(tmp_path / "G_1.pth", model, config)
    shutil.copy(tmp_path / "G_1.pth", tmp_path / "elsewhere/G_2.pth")
    for path, given in (
        ("G_1.pth", tmp_path / "elsewhere/config.json"),
        ("G_1.pth", config),
        ("elsewhere/G_2.pth", None),
    ):
        again, _ = load_sovits(tmp_path / path, given)
        assert torch.equal(again.pre.weight, model.pre.weight)
