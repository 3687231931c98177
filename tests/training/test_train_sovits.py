"""The training loop: it learns, stops, goes on exactly, says what does not fit, and survives a kill."""

import functools
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from svcnb import drive
from svcnb.checkpoint import load_sovits, read_torch
from svcnb.config import Config
from svcnb.files import BusyError
from svcnb.training import loop, sovits, train_sovits
from svcnb.training.state import ResumeError, State

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys
import torch
from svcnb.training import train_sovits
torch.set_num_threads(1)
for step in train_sovits(sys.argv[1], max_steps=int(sys.argv[2]), device="cpu"):
    print(step.step, step.resumed_from, flush=True)
"""


def run(work, steps, **options):
    return list(train_sovits(work, max_steps=steps, device="cpu", **options))


def weights(work):
    return read_torch(work / "logs/44k/state.pt")


def assert_same(a, b):
    for name in a["models"]:
        for key, value in a["models"][name].items():
            assert torch.equal(value, b["models"][name][key]), (name, key)
    for key, value in a["average"].items():
        assert torch.equal(value, b["average"][key]), key
    assert a["step"] == b["step"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """State after six steps in one go, and the work folder it was made from."""
    from .conftest import prepared, small_config

    work = prepared(tmp_path_factory.mktemp("unbroken"), small_config())
    steps = run(work, 6)
    return work, steps, weights(work)


def fresh_copy(work, tmp_path):
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("logs"))
    return tmp_path / "work"


def test_steps_tell_what_happened(unbroken):
    work, steps, _ = unbroken
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6]
    assert [s.epoch for s in steps] == [1, 1, 2, 2, 3, 3]
    assert set(steps[0].losses) == {"disc", "mel", "kl", "lf0", "stft", "level", "gen", "fm", "total"}
    assert steps[0].eta > 0 and steps[-1].eta == 0
    assert steps[1].saved and steps[1].scores["mel"] > 0 and len(steps[1].audio) == 2 and steps[0].saved is None
    model, config = load_sovits(steps[-1].saved)
    assert config.spk == {"ann": 0, "bob": 1} and not model.training
    kept = sorted(path.name for path in (work / "logs/44k").glob("G_*"))
    assert kept == ["G_2.safetensors", "G_4.safetensors", "G_6.safetensors"]


def test_training_learns(work):
    steps = run(
        work,
        60,
        config=Config.load(work / "configs/config.json").copy_with(train={"eval_interval": 60, "disc_start": 60}),
    )
    mean = lambda part: sum(s.losses["mel"] for s in part) / len(part)
    assert mean(steps[-10:]) < 0.8 * mean(steps[:5])


def test_generator_and_critics_learn_in_every_part(unbroken):
    work, _, trained = unbroken
    config = Config.load(work / "configs/config.json")
    for name, model in sovits.new_state(config, loop.accelerator("fp32", "cpu")).plain_models().items():
        still = [key for key, value in model.state_dict().items() if torch.equal(value, trained["models"][name][key])]
        assert len(still) < 0.05 * len(model.state_dict()), (name, still)


def test_the_saved_model_is_the_average(unbroken):
    _, steps, state = unbroken
    model, _ = load_sovits(steps[-1].saved)
    assert torch.equal(model.emb_g.weight, state["average"]["emb_g.weight"])
    assert not torch.equal(model.emb_g.weight, state["models"]["generator"]["emb_g.weight"])


def test_the_average_follows_slowly_except_at_the_beginning():
    model = torch.nn.Linear(1, 1, bias=False)
    state = State({"generator": model}, {}, decay=0.9)
    for step, share in ((1, 9 / 11), (10**6, 0.1)):  # of the weights in the average
        torch.nn.init.zeros_(model.weight)
        state.begin_average()
        torch.nn.init.ones_(model.weight)
        state.step = step
        state.follow()
        assert state.average["weight"].item() == pytest.approx(share)


def test_leaving_the_loop_saves_and_it_goes_on_exactly(unbroken, tmp_path):
    work, _, expected = unbroken
    work = fresh_copy(work, tmp_path)
    for step in train_sovits(work, max_steps=6, device="cpu"):
        if step.step == 3:
            break
    assert weights(work)["step"] == 3
    torch.rand(7)  # what else happens in the process does not matter
    rest = run(work, 6)
    assert [s.resumed_from for s in rest] == [3, None, None]
    assert_same(weights(work), expected)


def test_an_interrupt_waits_for_the_step(work, monkeypatch):
    train_step = sovits.train_step

    def interrupted(state, *args):
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(state, *args)

    monkeypatch.setattr(sovits, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(work, 6)
    assert weights(work)["step"] == 3
    assert (work / "logs/44k/G_3.safetensors").exists(), "there is a voice to hear"


def test_killed_at_random_moments_it_ends_with_the_same_weights(unbroken, tmp_path):
    work, _, expected = unbroken
    work = fresh_copy(work, tmp_path)
    rng, killed = random.Random(), 0
    for _ in range(2):
        made = 0
        process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(work), "6"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for line in itertools.islice(process.stdout, rng.randint(1, 2)):
            made = int(line.split()[0])
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        if made >= 2:  # saved after every second step
            assert stored_step(work) >= made - made % 2
    assert killed
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run(work, 6)
    finally:
        torch.set_num_threads(threads)
    for key, value in expected["models"]["generator"].items():
        torch.testing.assert_close(weights(work)["models"]["generator"][key], value, rtol=1e-4, atol=1e-5)
    assert weights(work)["step"] == 6


def stored_step(work):
    """Of the state, or of the one before where the kill came between two moves."""
    path = work / "logs/44k/state.pt"
    return read_torch(path if path.exists() else path.with_name("state.pt.previous"))["step"]


def test_a_damaged_state_falls_back_to_the_one_before(unbroken, tmp_path, caplog):
    work, _, expected = unbroken
    shutil.copytree(work, tmp_path / "work")
    work = tmp_path / "work"
    (work / "logs/44k/state.pt").write_bytes(b"cut short")
    steps = run(work, 6)
    assert "Trying the state saved before it" in caplog.text
    assert steps[0].resumed_from == 4
    assert_same(weights(work), expected)


def test_other_settings_or_data_are_refused(unbroken, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "work")
    work = tmp_path / "work"
    config = Config.load(work / "configs/config.json")
    with pytest.raises(ResumeError, match=r"train.learning_rate was 0.0004 and is now 0.1"):
        run(work, 8, config=config.copy_with(train={"learning_rate": 0.1}))
    assert run(work, 7, config=config.copy_with(train={"log_interval": 5}))[0].resumed_from == 6  # harmless
    smaller = config.copy_with(train={"batch_size": 1})  # what one does when the memory is not enough
    assert [(s.step, s.epoch, s.resumed_from) for s in run(work, 8, config=smaller)] == [(8, 2, 7)]
    (work / "filelists/train.txt").write_text("dataset/44k/ann/1.wav\n")
    with pytest.raises(ResumeError, match="the prepared clips are others"):
        run(work, 8)
    assert run(work, 0, resume=False) == []
    assert run(work, 1, resume=False)[0].step == 1


def test_room_is_made_for_a_training_on_other_data(unbroken, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "work")
    work = tmp_path / "work"
    train = functools.partial(train_sovits, work, device="cpu")
    assert drive.make_room(train, work, None) is None
    assert next(train(max_steps=8)).resumed_from == 6, "what fits goes on"
    (work / "filelists/train.txt").write_text("dataset/44k/ann/1.wav\n")
    assert "(the prepared clips are others): it is kept in logs/44k-1" in drive.make_room(train, work, None)
    assert [(step.step, step.resumed_from) for step in train(max_steps=1)] == [(1, None)]
    assert (work / "logs/44k-1/G_6.safetensors").exists()


def test_beginning_anew_removes_the_models_of_before_first(unbroken, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "work")
    assert run(tmp_path / "work", 2, resume=False)[-1].saved.exists()


def test_a_step_that_is_not_finite_is_left_out(work, monkeypatch, caplog):
    mel = sovits.training_mel
    broken = iter([True])
    monkeypatch.setattr(sovits, "training_mel", lambda *a: mel(*a) * (torch.nan if next(broken, False) else 1))
    steps = run(work, 2)
    assert steps[0].skipped == "the loss mel is not finite" and steps[1].skipped is None
    assert "step 1 changed nothing" in caplog.text
    state = weights(work)
    assert state["skipped"] == 1
    assert all(value.isfinite().all() for value in state["models"]["generator"].values())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(value):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(model.parameters(), 1.0)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    model(torch.ones(1, 3)).sum().backward()
    model.weight.grad[0, 1] = value
    assert not loop.update(model, optimizer, None, largest=1.0)[1]
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items()) and not optimizer.state


def test_base_models_give_the_start(unbroken, tmp_path):
    work, steps, state = unbroken
    new = fresh_copy(work, tmp_path)
    first = run(new, 1, base=steps[-1].saved, config=Config.load(new / "configs/config.json"))
    critics = state["models"]["discriminator"]
    started = weights(new)["models"]
    assert (started["generator"]["pre.weight"] - state["average"]["pre.weight"]).abs().max() < 1e-3
    assert all((started["discriminator"][key] - critics[key]).abs().max() < 1e-3 for key in critics)
    assert first[0].resumed_from is None


def test_a_full_disk_keeps_what_was_saved_before(work, monkeypatch):
    run(work, 2)
    monkeypatch.setattr(torch, "save", _disk_full)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(OSError, match="the disk is full; free some space and run again"):
        run(work, 4)
    monkeypatch.undo()
    assert run(work, 4)[0].resumed_from == 2


def _disk_full(content, path):
    Path(path).write_bytes(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 94208 vs 94096")  # as it says then


def test_tensorboard_gets_losses_and_sound(work):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(work, 2, tensorboard=True)
    events = accumulator.EventAccumulator(str(work / "logs/44k"))
    events.Reload()
    assert {"loss/g/mel", "loss/d/total", "grad_norm_g", "learning_rate"} <= set(events.Tags()["scalars"])
    assert "gen/ann/0" in events.Tags()["audio"]


def test_gradients_are_clipped_by_norm():
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    before = model.weight.detach().clone()
    model(torch.ones(1, 3)).sum().backward()
    norm, stepped = loop.update(model, optimizer, None, largest=0.5)
    assert stepped and norm == pytest.approx(2.0)  # three weights and a bias
    assert torch.allclose(before - model.weight, torch.full((1, 3), 0.25))


def test_reconstruction_first(work):
    config = Config.load(work / "configs/config.json").copy_with(train={"disc_start": 2, "eval_interval": 4})
    steps = run(work, 3, config=config)
    assert "disc" not in steps[1].losses and "disc" in steps[2].losses


@pytest.mark.parametrize("kind", ["sovits", "diffusion"])
def test_two_processes_give_the_gradients_of_one(tmp_path, kind):
    """Each of two processes (gloo) trains on half of a batch; their gradients are those of the whole batch."""
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29577", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.two_processes", str(tmp_path), kind]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | env | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in (0, 1)
    ]
    alone = subprocess.run([*command, "alone"], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert [process.wait(120) for process in processes] == [0, 0] and alone.returncode == 0
    joint, *halves = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("alone", "0", "1"))
    for name, gradient in joint.items():
        for half in halves:
            torch.testing.assert_close(half[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()) + 1e-7)


def test_two_trainings_in_one_folder_are_refused(work):
    first = train_sovits(work, max_steps=4, device="cpu")
    next(first)
    with pytest.raises(BusyError, match=r"Another training is at work in .*44k: stop it first"):
        run(work, 4)
    first.close()  # saves, and leaves the folder
    assert run(work, 4)[0].resumed_from == 1
