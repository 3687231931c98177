import json
import subprocess
import sys

import pytest
import yaml

from svcnb.config import PRESETS, UNITS_DIM, Config, ConfigError, DiffusionConfig

SPEAKERS = ["alice", "bob"]
TEMPLATE_WIDTH = {"vec256l9-onnx", "vec256l12-onnx", "hubertsoft-onnx"}  # the original gives these 768 instead of 256


@pytest.fixture(scope="module")
def templates(golden):
    return json.loads(golden("features/configs.json").read_text())


def test_every_encoder_has_the_widths_of_the_original(templates):
    cases = {name: dims for name, dims in templates.items() if "|" in name}
    assert len(cases) == 13 * 4
    for name, expected in cases.items():
        encoder, tiny, vol_aug = (word.split("=")[-1] for word in name.split("|"))
        config = Config.preset("tiny" if tiny == "1" else "full", encoder, SPEAKERS)
        if vol_aug == "1":
            config = config.copy_with(train={"vol_aug": True}, model={"vol_embedding": True})
        diffusion = DiffusionConfig.preset(encoder, SPEAKERS)
        if encoder in TEMPLATE_WIDTH:
            expected = expected | dict(ssl_dim=256, gin_channels=256, diff_encoder_out_channels=256)
        assert expected == {
            "ssl_dim": config.model.ssl_dim,
            "gin_channels": config.model.gin_channels,
            "filter_channels": config.model.filter_channels,
            "speech_encoder": config.model.speech_encoder,
            "vol_embedding": config.model.vol_embedding,
            "train_vol_aug": config.train.vol_aug,
            "n_speakers": config.model.n_speakers,
            "diff_encoder": diffusion.data.encoder,
            "diff_encoder_out_channels": diffusion.data.encoder_out_channels,
            "diff_n_spk": diffusion.model.n_spk,
        }, name


@pytest.mark.parametrize("preset, name", [("full", "FULL_config_default"), ("tiny", "FULL_config_tiny")])
def test_presets_are_the_templates_of_the_original_key_by_key(templates, preset, name):
    tree = Config.preset(preset, "vec768l12", SPEAKERS).tree()
    assert tree == templates[name] | {"spk": {"alice": 0, "bob": 1}}


def test_the_diffusion_preset_is_the_template_of_the_original(templates):
    tree = DiffusionConfig.preset("vec768l12", SPEAKERS).tree()
    assert tree == templates["FULL_diffusion"] | {"spk": {"alice": 0, "bob": 1}}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_config_comes_back_as_it_was(tmp_path, preset):
    config = Config.preset(preset, "whisper-ppg", ["Ä nna", "bob"])
    config.save(tmp_path / "configs/config.json")
    assert Config.load(tmp_path / "configs/config.json") == config
    assert [p.name for p in (tmp_path / "configs").iterdir()] == ["config.json"]


def test_a_diffusion_config_comes_back_as_it_was(tmp_path):
    config = DiffusionConfig.preset("vec256l9", ["Ä nna", "bob"])
    config.save(tmp_path / "diffusion.yaml")
    assert DiffusionConfig.load(tmp_path / "diffusion.yaml") == config


def test_unknown_keys_are_kept_in_both_files(tmp_path):
    tree = Config.preset("full").tree()
    tree["model"]["zz_from_a_fork"] = [1, {"a": None}]
    tree["notes"] = "mine"
    (tmp_path / "config.json").write_text(json.dumps(tree))
    Config.load(tmp_path / "config.json").save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == tree

    tree = DiffusionConfig.preset().tree()
    tree["vocoder"]["zz_device"] = "cpu"
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(tree))
    DiffusionConfig.load(tmp_path / "d.yaml").save(tmp_path / "again.yaml")
    assert yaml.safe_load((tmp_path / "again.yaml").read_text()) == tree


def test_an_old_file_takes_what_the_original_does_without_a_field(tmp_path):
    tree = Config.preset("full", "vec256l9").tree()
    for key in ("unit_interpolate_mode",):
        del tree["data"][key]
    for key in ("vocoder_name", "vol_embedding", "use_depthwise_conv", "n_flow_layer", "use_transformer_flow"):
        del tree["model"][key]
    (tmp_path / "config.json").write_text(json.dumps(tree))
    config = Config.load(tmp_path / "config.json")
    assert config.data.unit_interpolate_mode == "left"
    assert config.model.vocoder_name == "nsf-hifigan" and config.model.n_flow_layer == 4
    assert not (config.model.vol_embedding or config.model.use_depthwise_conv or config.model.use_transformer_flow)
    config.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == tree  # nothing is added that was not there


@pytest.mark.parametrize(
    "section, key, value, message",
    [
        ("train", "batchsize", 4, "'batchsize'; did you mean 'batch_size'"),
        ("model", "ssl_dims", 768, "'ssl_dims'; did you mean 'ssl_dim'"),
        ("train", "batch_size", "many", "train.batch_size is 'many', but"),
        ("model", "upsample_rates", 512, "model.upsample_rates is 512, but"),
    ],
)
def test_a_mistake_is_named_with_the_nearest_key(section, key, value, message):
    tree = Config.preset("full").tree()
    right = {"batchsize": "batch_size", "ssl_dims": "ssl_dim"}.get(key)
    tree[section].pop(right, None)
    tree[section][key] = value
    with pytest.raises(ConfigError, match=message):
        Config.parse(tree)


def test_what_is_missing_and_what_is_no_config_is_said(tmp_path):
    tree = Config.preset("full").tree()
    del tree["model"]["hidden_channels"]
    with pytest.raises(ConfigError, match=r"model\.hidden_channels is missing"):
        Config.parse(tree)
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(ConfigError, match="not a readable settings file"):
        Config.load(tmp_path / "config.json")
    (tmp_path / "d.yaml").write_text("- a list")
    with pytest.raises(ConfigError, match="holds list"):
        DiffusionConfig.load(tmp_path / "d.yaml")
    with pytest.raises(FileNotFoundError):
        Config.load(tmp_path / "nowhere.json")


def test_assignments_are_checked():
    config = Config.preset("full")
    with pytest.raises(ConfigError, match="did you mean 'batch_size'"):
        config.train.batchsize = 2
    with pytest.raises(ConfigError, match=r"batch_size is 'x'"):
        config.train.batch_size = "x"
    assert config.copy_with(train={"batch_size": 2}).train.batch_size == 2 and config.train.batch_size == 6


def test_unknown_presets_and_encoders_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'tiny'"):
        Config.preset("tinny")
    for make in (Config.preset, DiffusionConfig.preset):
        with pytest.raises(ConfigError, match="did you mean 'vec768l12'"):
            make(encoder="vec768l21")


def test_presets_do_not_share_their_lists():
    Config.preset("full").model.upsample_rates.append(3)
    assert Config.preset("full").model.upsample_rates == [8, 8, 2, 2, 2]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("encoder", UNITS_DIM)
def test_every_preset_makes_one_frame_per_hop(preset, encoder):
    config = Config.preset(preset, encoder)
    product = 1
    for rate in config.model.upsample_rates:
        product *= rate
    assert product == config.data.hop_length and config.model.ssl_dim == UNITS_DIM[encoder]


def test_speakers_are_found_by_name_or_number():
    config = Config.preset("full", "vec768l12", SPEAKERS)
    assert [config.speaker_id(s) for s in ("alice", "bob", 0, 1)] == [0, 1, 0, 1]
    for nobody in ("carol", 2, -1, True, "0"):
        with pytest.raises(KeyError, match="it has alice, bob"):
            config.speaker_id(nobody)


def test_config_needs_no_torch():
    code = "import sys, svcnb, svcnb.config; sys.exit('torch' in sys.modules or 'librosa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocoder": {"type": "hifi-gan"}}, r"vocoder.type is 'hifi-gan', but input should be 'nsf-hifigan' or"),
        ({"model": {"type": "flow"}}, r"model.type is 'flow', but input should be 'Diffusion' or 'RectifiedFlow'"),
    ],
)
def test_what_a_diffusion_model_may_be_is_named(changes, said):
    with pytest.raises(ConfigError, match=said):
        DiffusionConfig.parse(changes)
