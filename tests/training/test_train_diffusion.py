"""Diffusion training: it learns, goes on exactly, keeps files and schedule as the original does; its data agree."""

import json
import random
import shutil
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from svcnb import audio, checkpoint, drive
from svcnb.config import ConfigError, DiffusionConfig, DiffusionTrainConfig
from svcnb.dataset import DatasetError, features_path, read_clip
from svcnb.diffuse import find_vocoder
from svcnb.files import BusyError
from svcnb.training import diffusion, train_diffusion
from svcnb.training.diffusion import learning_rate
from svcnb.training.diffusion_data import MelDataset
from svcnb.training.state import ResumeError

from .conftest import HOP, RATE, prepared, small_config
from .test_train_vocoder import CONFIG as VOCODER

FOLDER = "logs/44k/diffusion"


def settings(**train) -> DiffusionConfig:
    config = DiffusionConfig.preset("lesson", ["ann", "bob"])
    return config.copy_with(
        data=dict(sampling_rate=RATE, block_size=HOP, duration=0.2, encoder_out_channels=6),
        model=dict(n_layers=2, n_chans=16, n_hidden=8),
        infer=dict(speedup=200, method="ddim"),
        train=dict(batch_size=2, lr=1e-3, interval_val=2, interval_log=1, ema_decay=0.9) | train,
    )


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """A file of an untrained vocoder."""
    path = tmp_path_factory.mktemp("vocoder") / "vocoder.safetensors"
    checkpoint.save_vocoder(path, checkpoint.new_vocoder(VOCODER))
    return path


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, voice):
    work = prepared(tmp_path_factory.mktemp("unbroken"), small_config())
    return work, run(work, 6, voice), state(work)


def run(work, steps, voice, config=None, **options):
    config = config or settings()
    return list(train_diffusion(work, config, voice, max_steps=steps, device="cpu", **options))


def state(work):
    return checkpoint.read_torch(work / FOLDER / "state.pt")


def assert_same(a, b):
    for key, value in a["models"]["diffusion"].items():
        assert torch.equal(value, b["models"]["diffusion"][key]), key
    assert a["step"] == b["step"]


def fresh_copy(work, tmp_path):
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("logs"))
    return tmp_path / "work"


def test_steps_tell_what_happened(unbroken):
    _, steps, stored = unbroken
    assert [step.epoch for step in steps] == [1, 1, 2, 2, 3, 3] and steps[0].learning_rate == 1e-3
    assert steps[0].losses["noise"] > 0.3 and steps[0].grad_norms["diffusion"] > 0 and steps[0].saved is None
    assert set(steps[1].scores) == {"noise", "mel"} and set(steps[1].audio) == {"ann/0", "bob/0"}
    model, config = checkpoint.load_diffusion(steps[-1].saved)  # with the config.yaml beside it
    assert config.spk == {"ann": 0, "bob": 1}
    assert torch.equal(model.unit_embed.weight, stored["average"]["model.unit_embed.weight"])


def test_it_goes_on_exactly(unbroken, voice, tmp_path):
    work, _, expected = unbroken
    work, killed = fresh_copy(work, tmp_path), tmp_path / "killed"
    for step in train_diffusion(work, settings(), voice, max_steps=6, device="cpu"):
        if step.step == 3:
            shutil.copytree(work, killed)  # what a kill would leave behind: the state of step 2
            break
    torch.rand(3)
    assert [step.resumed_from for step in run(work, 6, voice)] == [3, None, None]
    assert run(killed, 6, voice)[0].resumed_from == 2
    assert_same(state(work), expected)
    assert_same(state(killed), expected)


def test_the_loss_falls(tmp_path, voice):
    work = prepared(tmp_path, small_config())
    steps = run(work, 120, voice, settings(interval_val=1000, lr=5e-3))
    mean = lambda part: sum(step.losses["noise"] for step in part) / len(part)
    assert mean(steps[-20:]) < 0.85 * mean(steps[:10])


def straight(**train) -> DiffusionConfig:
    flow = {"type": "RectifiedFlow"}
    return settings(**train).copy_with(model=flow, infer={"method": "midpoint", "speedup": 100})


def test_a_rectified_flow_is_trained_by_the_same_loop(unbroken, voice, tmp_path):
    work = fresh_copy(unbroken[0], tmp_path)
    steps = run(work, 120, voice, straight(interval_val=60, lr=5e-3))
    mean = lambda part: sum(step.losses["noise"] for step in part) / len(part)
    assert mean(steps[-20:]) < 0.85 * mean(steps[:10])
    assert steps[-1].scores["mel"] < steps[59].scores["mel"]
    model, config = checkpoint.load_diffusion(steps[-1].saved)
    assert config.model.type == "RectifiedFlow" and model.calls(None, "midpoint", 100) == 10
    checkpoint.save_diffusion(tmp_path / "a.safetensors", model, config)
    again, _ = checkpoint.load_diffusion(tmp_path / "a.safetensors")
    assert torch.equal(again.unit_embed.weight, model.unit_embed.weight)
    with pytest.raises(checkpoint.CheckpointError, match=r"decoder.betas .*is not in the file: set .*model.type"):
        checkpoint.load_diffusion(steps[-1].saved, config.copy_with(model={"type": "Diffusion"}))


def test_a_flow_may_begin_with_what_a_diffusion_model_has_learnt(unbroken, voice, tmp_path):
    work, steps, stored = unbroken
    run(work := fresh_copy(work, tmp_path), 1, voice, straight(lr=0.0), base=steps[-1].saved)
    begun = state(work)["models"]["diffusion"]
    assert torch.equal(begun["model.unit_embed.weight"], stored["average"]["model.unit_embed.weight"])


def test_a_sampler_that_cannot_work_is_refused_before_the_first_step(unbroken, voice, tmp_path):
    work = fresh_copy(unbroken[0], tmp_path)
    for config, said in (
        (straight().copy_with(infer={"method": "unipc"}), "infer.method .* take euler, midpoint, rk4"),
        (settings().copy_with(infer={"method": "euler"}), "infer.method .* no sampler 'euler' for diffusion"),
        (
            settings().copy_with(model={"k_step_max": 30}, infer={"method": "unipc", "speedup": 20}),
            "at least two calls",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            run(work, 1, voice, config)


def test_the_vocoder_that_was_given_is_named_beside_the_models(unbroken, voice):
    config = DiffusionConfig.load(unbroken[0] / FOLDER / "config.yaml")
    assert config.vocoder.ckpt == str(voice)
    assert find_vocoder(config).n_mels == 20


def test_models_are_kept_as_the_original_keeps_them(golden, unbroken, voice, tmp_path):
    expected = json.loads(golden("diffusion/checkpoint_rotation.json").read_text())
    work, config = fresh_copy(unbroken[0], tmp_path), settings(interval_val=2, interval_force_save=4)
    kept = lambda: sorted(path.name for path in (work / FOLDER).glob("model_*"))
    run(work, 12, voice, config)
    assert kept() == expected["first_run"]["checkpoints"]
    run(work, 16, voice, config)
    assert kept() == expected["resumed_run"]["checkpoints"]


def test_it_goes_on_from_a_model_of_the_original(unbroken, voice, tmp_path):
    config, work = settings(save_opt=True, ema_decay=0.0), fresh_copy(unbroken[0], tmp_path)
    run(work, 4, voice, config)
    (work / FOLDER / "state.pt").unlink()
    (work / FOLDER / "state.pt.previous").unlink()
    assert run(work, 6, voice, config)[0].resumed_from == 4
    went_on = state(work)
    run(work, 6, voice, config, resume=False)
    assert_same(went_on, state(work))


def test_killed_between_its_first_model_and_its_state_nothing_changes(unbroken, voice, tmp_path, monkeypatch):
    work, save = fresh_copy(unbroken[0], tmp_path), checkpoint.save_original_diffusion

    def save_and_die(*given):
        save(*given)
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(checkpoint, "save_original_diffusion", save_and_die)
        run(work, 6, voice)
    assert checkpoint.latest(work / FOLDER, "model_").name == "model_2.pt"
    run(work, 6, voice)
    assert_same(state(work), unbroken[2])


def test_the_learning_rate_rises_in_the_first_steps_if_asked():
    train = DiffusionTrainConfig(lr=1.0, warmup_steps=4, decay_step=10, gamma=0.5)
    assert [learning_rate(train, step) for step in (1, 2, 4, 5, 12)] == [0.25, 0.5, 1, 1, 0.5]


def test_a_clear_start_knows_noise_at_once(unbroken, voice, tmp_path):
    work, first = fresh_copy(unbroken[0], tmp_path), {}
    for clear in (False, True):
        config = settings(clear_start=clear).copy_with(model={"n_chans": 48})
        first[clear] = run(work, 1, voice, config, resume=False)[0].losses["noise"]
    assert first[True] < 0.7 * first[False]


def test_the_learning_rate_is_the_original_s(golden):
    expected = json.loads(golden("diffusion/lr_schedule.json").read_text())
    train = settings(lr=expected["lr"], decay_step=expected["decay_step"], gamma=expected["gamma"]).train
    for start, rates in expected["lr_used_by_successive_training_steps_after_resuming_at_global_step"].items():
        assert [learning_rate(train, int(start) + i + 1) for i in range(len(rates))] == rates


def test_a_base_of_other_speakers_gives_the_start(unbroken, voice, tmp_path):
    work, steps, stored = unbroken
    work, config = fresh_copy(work, tmp_path), settings(lr=0.0)
    config.spk["cora"], config.model.n_spk = 2, 3
    checkpoint.save_diffusion(tmp_path / "base.safetensors", *checkpoint.load_diffusion(steps[-1].saved))
    run(work, 1, voice, config, base=tmp_path / "base.safetensors")
    started = state(work)["models"]["diffusion"]
    assert started["model.spk_embed.weight"].shape == (3, 8)
    assert torch.equal(started["model.unit_embed.weight"], stored["average"]["model.unit_embed.weight"])


@pytest.mark.parametrize("cached", [True, False])
def test_pitch_volume_and_mel_are_shifted_together(unbroken, voice, cached):
    vocoder = checkpoint.load_vocoder(voice)
    data = MelDataset(settings(cache_all_data=cached, cache_fp16=False), unbroken[0], vocoder.mel)
    plain = MelDataset(settings(), unbroken[0], vocoder.mel)._hear(0, None)
    items = [data.item(0, random.Random(key)) for key in range(20)]
    shifts = {round(item.semitones.item(), 4) for item in items}
    assert 0 in shifts and (len(shifts) == 2 if cached else len(shifts) > 5) and max(map(abs, shifts)) <= 5
    for item in items:
        assert item.mel.shape == (data.frames, 20) and item.units.shape == (data.frames, 6)
        start = (plain.units.unfold(0, data.frames, 1).mT - item.units).abs().sum((1, 2)).argmin()
        here = slice(start, start + data.frames)
        torch.testing.assert_close(item.f0, plain.f0[here] * 2 ** (item.semitones / 12))
        gain = (item.volume / plain.volume[here]).mean()
        torch.testing.assert_close(item.volume, plain.volume[here] * gain)
        wav = read_clip(data.clips[0], RATE, HOP, 6, "nearest").wav
        mel = vocoder.mel(wav[None] * gain, RATE, item.semitones.item())[0, here]
        torch.testing.assert_close(item.mel, mel, atol=1e-3, rtol=0)


def test_without_pitch_augmentation_nothing_is_shifted(unbroken, voice):
    config = settings().copy_with(model={"use_pitch_aug": False})
    data = MelDataset(config, unbroken[0], checkpoint.load_vocoder(voice).mel)
    assert not any(data.item(0, random.Random(key)).semitones for key in range(10))


def test_a_short_clip_ends_in_silence(unbroken, voice):
    config = settings().copy_with(data={"duration": 1.0})  # the clips have half a second
    item = MelDataset(config, unbroken[0], checkpoint.load_vocoder(voice).mel)[0, "a"]
    assert item.mel.shape == (250, 20) and (item.mel[140:] == item.mel[-1, 0]).all() and not item.volume[130:].any()


def test_two_trainings_in_one_folder_are_refused(unbroken, voice, tmp_path):
    work = fresh_copy(unbroken[0], tmp_path)
    first = train_diffusion(work, settings(), voice, device="cpu")
    next(first)
    with pytest.raises(BusyError, match="Another training is at work"):
        run(work, 2, voice)
    first.close()


def test_what_does_not_fit_is_said(unbroken, voice, tmp_path):
    work = fresh_copy(unbroken[0], tmp_path)
    with pytest.raises(ConfigError, match=r"There is no vocoder at .*nowhere; name a folder"):
        run(work, 1, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="has 16000 Hz and frames of 64 samples, but the config says 44100 Hz and 64"):
        find_vocoder(settings().copy_with(data={"sampling_rate": 44100}), voice)
    with pytest.raises(DatasetError, match="6 dimensions, but the config says 7"):
        run(work, 1, voice, settings().copy_with(data={"encoder_out_channels": 7}))
    run(work, 2, voice)
    with pytest.raises(ResumeError, match=r"model.n_layers was 2 and is now 3"):
        run(work, 3, voice, settings().copy_with(model={"n_layers": 3}))
    run(work, 3, voice, settings(interval_val=1))  # harmless
    train = partial(train_diffusion, work, straight(), voice, device="cpu")
    assert "model.type was 'Diffusion' and is now 'RectifiedFlow'" in drive.make_room(train, work, None)
    assert next(train(max_steps=1)).step == 1 and (work / "logs/44k/diffusion-1/model_3.pt").exists()


def test_the_precision_that_the_settings_name(unbroken, voice, tmp_path):
    step = run(fresh_copy(unbroken[0], tmp_path), 1, voice, settings(amp_dtype="bf16"))[0]
    exact = unbroken[1][0].losses["noise"]
    assert step.losses["noise"] != exact and step.losses["noise"] == pytest.approx(exact, rel=0.02)
    with pytest.raises(ValueError, match="There is no precision 'fp64'"):
        run(tmp_path / "work", 2, voice, settings(amp_dtype="fp64"))


def test_a_step_that_is_not_finite_is_left_out(unbroken, voice, tmp_path, monkeypatch):
    forward, broken = diffusion.Loss.forward, iter([True])
    monkeypatch.setattr(
        diffusion.Loss, "forward", lambda *a, **k: forward(*a, **k) * (torch.nan if next(broken, False) else 1)
    )
    steps = run(fresh_copy(unbroken[0], tmp_path), 2, voice)
    assert steps[0].skipped == "the loss noise is not finite" and steps[1].skipped is None


def test_stored_mels_are_learnt_from_if_they_are_this_vocoders(voice, tmp_path):
    work, config = prepared(tmp_path, small_config()), settings()
    heard = MelDataset(config, work, checkpoint.load_vocoder(voice).mel)
    plain = [heard.item(0, Chosen(shifted)) for shifted in (0, 1)]
    for clip in heard.clips:
        wav = torch.from_numpy(audio.load(clip)[0])[None]
        mel = heard.analyse(wav, RATE, 0)[0]
        more = {"mel": mel, "aug_mel": mel + 1, "aug_volume": torch.full((len(mel),), 0.5)}
        add(clip, more | {"aug_semitones": torch.tensor([12.0])})
    same, shifted = (MelDataset(config, work, heard.analyse).item(0, Chosen(shifted)) for shifted in (0, 1))
    torch.testing.assert_close(same.mel, plain[0].mel, rtol=0, atol=2e-3)  # kept in half precision
    assert shifted.semitones == 12 and (shifted.volume == 0.5).all()
    torch.testing.assert_close(shifted.f0, same.f0 * 2)
    torch.testing.assert_close(shifted.mel, same.mel + 1, rtol=0, atol=1e-2)
    for clip in heard.clips:
        add(clip, {"mel": torch.zeros(200, 3)})
    foreign = MelDataset(config, work, heard.analyse)
    for before, shifted in zip(plain, (0, 1), strict=True):
        assert torch.equal(foreign.item(0, Chosen(shifted)).mel, before.mel)


class Chosen(random.Random):
    """Draws of the beginning of a clip, shifted or not."""

    def __init__(self, shifted):
        self.draws = iter((0.0, 0.1 if shifted else 0.9))

    def random(self):
        return next(self.draws)


def add(clip, tensors):
    tensors = {name: values.contiguous() for name, values in tensors.items()}
    save_file(load_file(features_path(clip)) | tensors, features_path(clip))
