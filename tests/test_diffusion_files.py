"""Files of diffusion models, own and the original's: what goes in comes out, what does not fit is said."""

import shutil
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from svcnb.checkpoint import CheckpointError, load_diffusion, load_sovits, save_diffusion, save_original_diffusion
from svcnb.config import DiffusionConfig
from tests.models.conftest import close


@pytest.fixture(scope="module")
def original(golden):
    return golden("diffusion/checkpoint/model_7.pt")


@pytest.fixture(scope="module")
def song(golden):
    return load_file(golden("diffusion/checkpoint_io.safetensors"))


def sing(model, song):
    arguments = song["units"], song["f0"], song["volume"], song["spk_id"]
    with patch("torch.randn", lambda shape, **_: song["noise0"].view(shape)):
        return model(*arguments, source_mel=song["gt_spec"], k_step=80, sampler="unipc", speedup=10)


def test_an_original_file_makes_the_mel_it_made(original, song):
    model, config = load_diffusion(original)
    assert not model.training and config.spk == {"alice": 0, "bob": 1} and model.k_step_max == 100
    close(sing(model, song), song["mel_out"], atol=1e-4)


def test_an_own_file_alone_rebuilds_its_model(original, song, tmp_path):
    model, config = load_diffusion(original)
    save_diffusion(tmp_path / "a.safetensors", model, config)
    again, config_again = load_diffusion(tmp_path / "a.safetensors")
    assert config_again == config and torch.equal(sing(again, song), sing(model, song))
    with pytest.raises(CheckpointError, match="holds a diffusion, not a voice model"):
        load_sovits(tmp_path / "a.safetensors")


def test_half_the_size_keeps_the_schedule_exact(original, tmp_path):
    model, config = load_diffusion(original)
    save_diffusion(tmp_path / "a.safetensors", model, config, half=True)
    again, _ = load_diffusion(tmp_path / "a.safetensors")
    assert load_file(tmp_path / "a.safetensors")["unit_embed.weight"].dtype == torch.float16
    close(again.unit_embed.weight, model.unit_embed.weight, atol=1e-3)
    for key, values in model.named_buffers():
        assert torch.equal(dict(again.named_buffers())[key], values), key


def test_an_original_file_is_written_as_it_was_read(original, tmp_path):
    path = tmp_path / "model_7.pt"
    model, config = load_diffusion(original)
    save_original_diffusion(path, model, 7)
    written, read = (torch.load(p, weights_only=True) for p in (path, original))
    assert written.keys() == read.keys() - {"optimizer"} and written["global_step"] == read["global_step"] == 7
    assert list(written["model"]) == list(read["model"])
    assert all(torch.equal(written["model"][key], value) for key, value in read["model"].items())
    save_original_diffusion(path, model, 8, torch.optim.AdamW(model.parameters()))
    assert "param_groups" in torch.load(path, weights_only=True)["optimizer"]
    load_diffusion(path, config)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_spk": 3}, r"spk_embed.weight of .* is 2×12 in the file but 3×12 by the config: set model.n_spk"),
        ({"n_spk": 1}, r"has spk_embed.weight, which the config leaves out: see model.n_spk"),
        ({"timesteps": 500}, r"decoder.betas of .* is 1000 .* 500 .*model.timesteps"),
        ({"n_chans": 18}, r"decoder.denoise_fn.input_projection.weight .*model.n_chans"),
        ({"use_pitch_aug": False}, r"has aug_shift_embed.weight, .*model.use_pitch_aug"),
        ({"n_layers": 4}, r"residual_layers.3.* is not in the file: set model.n_layers"),
    ],
)
def test_what_does_not_fit_the_config_is_said(original, changes, said):
    config = DiffusionConfig.load(original.with_name("config.yaml")).copy_with(model=changes)
    with pytest.raises(CheckpointError, match=said):
        load_diffusion(original, config)


def test_a_file_without_its_config_or_of_another_kind_is_refused(original, golden, tmp_path):
    alone = shutil.copyfile(original, tmp_path / "model_7.pt")
    with pytest.raises(CheckpointError, match=r"needs the config.yaml that was made with it"):
        load_diffusion(alone)
    with pytest.raises(CheckpointError, match="is no diffusion model: it has no denoiser"):
        load_diffusion(golden("sovits/checkpoint/G_tiny.pth"), original.with_name("config.yaml"))
