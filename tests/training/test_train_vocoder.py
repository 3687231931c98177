"""The vocoder's training: it learns, stops and goes on exactly, and takes and gives the files that people have."""

import shutil
from unittest.mock import patch

import pytest
import torch

from svcnb import checkpoint
from svcnb.config import ConfigError, VocoderConfig
from svcnb.dataset import DatasetError, collate
from svcnb.training import train_vocoder, vocoder
from svcnb.training.state import ResumeError
from svcnb.training.vocoder import VocoderTraining

from .conftest import HOP, RATE, prepared, small_config

CONFIG = VocoderConfig(
    sampling_rate=RATE, num_mels=20, n_fft=256, hop_size=HOP, win_size=256, fmin=40, fmax=7000, resblock="2",
    resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 2]], upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
    upsample_initial_channel=16,
)  # fmt: skip
TRAIN = VocoderTraining(
    batch_size=2, segment_size=16 * HOP, disc_width=0.0625, ema_decay=0.9, learning_rate=1e-3, eval_interval=2,
    disc_start=2, clear_start=True, c_stft=1.0,
)  # fmt: skip


def run(work, steps, config=CONFIG, train=TRAIN, **options):
    return list(train_vocoder(work, config=config, train=train, max_steps=steps, device="cpu", **options))


def state(work):
    return checkpoint.read_torch(work / "logs/44k/vocoder/state.pt")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    work = prepared(tmp_path_factory.mktemp("unbroken"), small_config())
    return work, run(work, 4), state(work)


def fresh_copy(work, tmp_path):
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("logs"))
    return tmp_path / "work"


def test_steps_tell_what_happened(unbroken):
    _, steps, stored = unbroken
    assert set(steps[1].losses) == {"mel", "stft", "level", "total"}
    assert set(steps[3].losses) == {"disc", "mel", "stft", "level", "gen", "fm", "total"}
    assert steps[3].scores["mel"] > 0 and len(steps[3].audio) == 2
    model = checkpoint.load_vocoder(steps[3].saved)
    assert torch.equal(model.conv_pre.bias, stored["average"]["conv_pre.bias"]) and model.config.tree() == CONFIG.tree()


def test_it_goes_on_exactly(unbroken, tmp_path):
    work, _, expected = unbroken
    work = fresh_copy(work, tmp_path)
    for step in train_vocoder(work, config=CONFIG, train=TRAIN, max_steps=4, device="cpu"):
        if step.step == 3:
            break
    torch.rand(3)
    rest = run(work, 4, config=None)  # its settings are in the folder
    assert [step.resumed_from for step in rest] == [3]
    for name, weights in state(work)["models"].items():
        assert all(torch.equal(value, expected["models"][name][key]) for key, value in weights.items())
    with pytest.raises(ResumeError, match=r"train.learning_rate was 0.001 and is now 0.1"):
        run(work, 5, train=TRAIN.model_copy(update={"learning_rate": 0.1}))


def test_training_learns(tmp_path):
    work = prepared(tmp_path, small_config())
    steps = run(work, 60, train=TRAIN.model_copy(update={"disc_start": 100, "eval_interval": 60}))
    mean = lambda part: sum(step.losses["mel"] for step in part) / len(part)
    assert mean(steps[-10:]) < 0.8 * mean(steps[:5])


def test_in_mixed_precision_it_learns_the_same(unbroken, tmp_path):
    step = run(fresh_copy(unbroken[0], tmp_path), 1, precision="bf16")[0]
    exact = unbroken[1][0].losses["mel"]
    assert step.losses["mel"] != exact and step.losses["mel"] == pytest.approx(exact, rel=0.02)


def test_a_community_folder_is_a_start_and_an_end(unbroken, tmp_path):
    work, steps, _ = unbroken
    trained = checkpoint.load_vocoder(steps[-1].saved)
    checkpoint.save_original_vocoder(tmp_path / "published", trained)
    assert list(torch.load(tmp_path / "published/model", weights_only=True)) == ["generator"]
    work = fresh_copy(work, tmp_path)
    still = TRAIN.model_copy(update={"learning_rate": 0.0})
    saved = run(work, 1, config=None, base=tmp_path / "published", train=still)[0].saved
    mel, f0 = torch.randn(1, 5, 20), torch.full((1, 5), 200.0)
    sing = lambda path: checkpoint.load_vocoder(path)(mel, f0, torch.Generator().manual_seed(0))
    for path in (saved, tmp_path / "published", tmp_path / "published/model"):
        torch.testing.assert_close(sing(path), sing(steps[-1].saved))


def test_critics_beside_the_base_come_along(unbroken, tmp_path):
    work, steps, stored = unbroken
    work = fresh_copy(work, tmp_path)
    run(work, 1, config=None, base=steps[-1].saved, train=TRAIN.model_copy(update={"learning_rate": 0.0}))
    critics = state(work)["models"]["discriminator"]
    assert all(torch.equal(value, stored["models"]["discriminator"][key]) for key, value in critics.items())


def test_a_stretch_is_heard_as_in_the_whole_clip(unbroken):
    work = unbroken[0]
    data, model = vocoder._clips(work, CONFIG, TRAIN), checkpoint.new_vocoder(CONFIG)
    batch = collate([data[0, "a"], data[1, "b"]])
    with patch.object(torch, "rand", lambda size: torch.ones(size) * 0.7):
        mel, f0, wav = vocoder.heard(batch, model, TRAIN)
    assert mel.shape == (2, 16, 20) and f0.shape == (2, 16) and wav.shape == (2, 1, 16 * HOP)
    whole = model.mel(batch.wav[:, 0], RATE)[:, 2:18]
    gain = wav[:, 0].abs().amax(1) / batch.wav[:, 0, 2 * HOP : 18 * HOP].abs().amax(1)
    torch.testing.assert_close(mel, whole + gain.log()[:, None, None], atol=2e-2, rtol=0)
    assert torch.equal(f0, batch.f0[:, 2:18])


def test_the_pitch_goes_on_where_there_is_no_voice(unbroken):
    data, model = vocoder._clips(unbroken[0], CONFIG, TRAIN), checkpoint.new_vocoder(CONFIG)
    batch = collate([data[0, "a"], data[1, "b"]])
    batch.uv[:, 5:] = 0
    assert torch.equal(vocoder.heard(batch, model, TRAIN)[1], batch.f0[:, 2:18])


def test_what_can_not_be_trained_is_said(unbroken, tmp_path):
    work = fresh_copy(unbroken[0], tmp_path)
    with pytest.raises(ConfigError, match="Name a vocoder to start from"):
        run(work, 1, config=None)
    with pytest.raises(DatasetError, match="The clips have 16000 Hz and frames of 64 samples, the vocoder 16000 Hz"):
        run(work, 1, config=CONFIG.model_copy(update={"hop_size": 128}))
