import re

import pytest
import soundfile
import torch
from typer.testing import CliRunner

from svcnb import cli, doctor, lesson, registry
from svcnb.checkpoint import load_sovits, save_sovits
from svcnb.config import Config

run = CliRunner().invoke


def fail(error):
    def raiser(*_, **__):
        raise error

    return raiser


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("The song is empty."), "Error: The song is empty.\n"),
        (OSError(28, "The disk is full."), "Error: The disk is full.\n"),
        (KeyError("This model has no speaker 'x'"), "Error: This model has no speaker 'x'\n"),
    ],
)
def test_an_error_is_one_sentence(monkeypatch, error, said):
    monkeypatch.setattr(doctor, "examine", fail(error))
    result = run(cli.app, ["doctor"])
    assert (result.exit_code, result.stderr) == (1, said)


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(doctor, "examine", fail(ValueError("The song is empty.")))
    assert isinstance(run(cli.app, ["--debug", "doctor"]).exception, ValueError)


@pytest.mark.parametrize("slip", [KeyError("wav"), TypeError("a slip of ours")])
def test_a_slip_of_ours_is_not_dressed_up(monkeypatch, slip):
    monkeypatch.setattr(doctor, "examine", fail(slip))
    assert run(cli.app, ["doctor"]).exception is slip


@pytest.mark.parametrize(("ok", "code", "mark"), [(True, 0, "ok"), (None, 0, "--"), (False, 1, "NO")])
def test_doctor_prints_a_row_each(monkeypatch, ok, code, mark):
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Row("thing", ok, "found", "get it")])
    result = run(cli.app, ["doctor"])
    assert result.exit_code == code and result.stdout.startswith(f"{mark}  thing  found")
    assert ("get it" in result.stdout) == (ok is not True)


def test_from_recordings_to_a_converted_song(tmp_path):
    raw, work, out = tmp_path / "raw", tmp_path / "work", tmp_path / "as clara.flac"
    lesson.write_songs(raw, ["bruno", "clara"], ["vowels", "scales"])
    prepared = run(cli.app, ["prepare", f"{raw}", f"{work}", "--encoder=lesson", "--preset=lesson", "--processes=1"])
    assert prepared.exit_code == 0 and "bruno" in prepared.stdout and f"svcnb train {work}" in prepared.stdout
    shrink(work / "configs/config.json")

    first = run(cli.app, ["train", f"{work}", "--steps=2", "--device=cpu"])
    model = work / "logs/44k/G_2.safetensors"
    assert first.exit_code == 0 and f"Saved: {model}" in first.stdout and "Going on" not in first.stdout
    second = run(cli.app, ["train", f"{work}", "--steps=3", "--device=cpu"])
    assert second.exit_code == 0 and "Going on from step 2." in second.stdout

    song = raw / "bruno/vowels.wav"
    options = [f"--model={model}", "--speaker=clara", "--semitones=8", f"--out={out}"]
    converted = run(cli.app, ["convert", f"{song}", *options])
    assert converted.exit_code == 0 and f"Written: {out}" in converted.stdout
    assert soundfile.info(out).frames == soundfile.info(song).frames
    stranger = run(cli.app, ["convert", f"{song}", f"--model={model}", "--speaker=anna"])
    assert stranger.exit_code == 1 and "anna" in stranger.stderr and "bruno, clara" in stranger.stderr


def shrink(path):
    """The lesson model with a decoder that makes noise only, but makes it quickly."""
    config = Config.load(path)
    config.copy_with(
        train={"batch_size": 2, "crop_frames": 40, "segment_size": 4096, "disc_width": 0.125},
        model={"upsample_initial_channel": 32, "filter_channels": 64},
    ).save(path)


def test_training_asks_for_prepared_recordings(tmp_path):
    result = run(cli.app, ["train", f"{tmp_path}"])
    assert result.exit_code == 1 and f"svcnb prepare RAW {tmp_path}" in result.stderr


def test_compressing_says_what_it_saves_and_changes(tmp_path):
    voice, config = load_sovits(lesson.voice_path())
    save_sovits(tmp_path / "G_1.safetensors", voice, config)
    said = run(cli.app, ["compress", str(tmp_path / "G_1.safetensors"), str(tmp_path / "whole.safetensors")]).stdout
    assert " MB instead of 19.8 MB" in said and "It sounds the same." in said
    small = str(tmp_path / "small.safetensors"), "--half"
    with torch.no_grad():
        voice.dec.conv_pre.weight_v.mul_(1.0001)  # the lesson voice itself is stored in 16 bits
    save_sovits(tmp_path / "G_1.safetensors", voice, config)
    said = run(cli.app, ["compress", str(tmp_path / "G_1.safetensors"), *small]).stdout
    assert int(re.search(r"What it changes is (\d+) dB below the voice", said)[1]) > 40


def test_models_says_what_is_here_and_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("SVCNB_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / registry.TABLE["rmvpe"].file).write_bytes(b"weights")
    lines = run(cli.app, ["models"]).stdout.splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines[:-1:2]}
    assert states == {name: "here" if name == "rmvpe" else "missing" for name in registry.TABLE}
    assert str(tmp_path) in lines[-1]


def test_models_downloads_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "fetch", lambda name, progress: progress(5, 0) or tmp_path / name)
    assert run(cli.app, ["models", "rmvpe"]).stdout == f"{tmp_path / 'rmvpe'}\n"


def test_models_knows_the_nearest_name():
    assert "did you mean 'rmvpe'" in run(cli.app, ["models", "rmpve"]).stderr
