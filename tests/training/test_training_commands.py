"""`svcnb train-diffusion` and `svcnb train-vocoder`, as a person types them."""

import pytest
from typer.testing import CliRunner

from svcnb import checkpoint, cli
from svcnb.models.sovits import Sovits

from .conftest import small_config
from .test_train_diffusion import FOLDER, settings, voice  # noqa: F401


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(cli.app, [*map(str, words), "--device=cpu"])


def test_diffusion(work, voice, run):  # noqa: F811
    settings().save(work / "configs/diffusion.yaml")
    first = run("train-diffusion", work, "--steps=2", f"--vocoder={voice}")
    assert (
        first.exit_code == 0 and f"Saved: {work / FOLDER / 'model_2.pt'}" in first.stdout and "noise " in first.stdout
    )
    assert "Going on from step 2." in run("train-diffusion", work, "--steps=3", f"--vocoder={voice}").stdout
    lost = run("train-diffusion", work, "--vocoder=nowhere")
    assert lost.exit_code == 1 and "There is no vocoder at nowhere" in lost.stderr


def test_vocoder(work, voice, run, tmp_path):  # noqa: F811
    options = f"--base={voice}", f"--out={tmp_path / 'mine'}", "--critics=0.0625"
    made = run("train-vocoder", work, "--steps=1", *options)
    assert made.exit_code == 0 and f"Written: {tmp_path / 'mine'}" in made.stdout
    assert checkpoint.load_vocoder(tmp_path / "mine").n_mels == 20
    assert run("train-vocoder", tmp_path / "mine", *options).exit_code == 1


def test_low_rank_voices(work, run, tmp_path):
    config = small_config()
    checkpoint.save_sovits(tmp_path / "base.safetensors", Sovits(config), config)
    made = run("train", work, "--steps=2", "--lora=1", f"--base={tmp_path / 'base.safetensors'}")
    assert made.exit_code == 0 and "Saved: " in made.stdout
    voices = [work / "logs/44k/L_2.safetensors"] * 2
    words = map(str, ["merge", tmp_path / "base.safetensors", *voices, f"--out={tmp_path / 'voice.safetensors'}"])
    merged = CliRunner().invoke(cli.app, [*words, "--percent=30", "--percent=70"])
    assert merged.exit_code == 0 and checkpoint.load_sovits(tmp_path / "voice.safetensors")[1].spk == config.spk
