"""`svcnb train-diffusion` and `svcnb train-vocoder`, as a person types them."""

import pytest
from typer.testing import CliRunner

from svcnb import checkpoint, cli

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
