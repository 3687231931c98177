"""The whole preparation, with stand-ins for the encoder and the predictor."""

import errno
import json
import shutil

import numpy as np
import pytest
import soundfile
import yaml
from safetensors.numpy import load_file

from svcnb import files
from svcnb.audio import AudioError
from svcnb.config import Config, ConfigError, DiffusionConfig
from svcnb.encoders import EncoderError
from svcnb.f0 import F0Error
from svcnb.files import BusyError, alone_in
from svcnb.prepare import DataError, features, prepare
from svcnb.prepare.lists import split
from tests.prepare.conftest import record, silence, voice

pytestmark = pytest.mark.usefixtures("engines")


def run(tmp_path, **options):
    settings = dict(encoder="vec256l9", f0="pm", processes=1)
    return prepare(tmp_path / "raw", tmp_path / "work", **settings | options)


@pytest.fixture
def two_speakers(tmp_path):
    """bob in one long file, alice in two short ones."""
    pause = silence(3)
    record(tmp_path / "raw/bob/song.wav", np.concatenate([voice(6), pause, voice(6), pause, voice(6), pause, voice(6)]))
    record(tmp_path / "raw/alice/one.wav", voice(2, hz=330))
    record(tmp_path / "raw/alice/two.flac", voice(2, hz=330))
    return tmp_path


def clips(tmp_path):
    return sorted(p.relative_to(tmp_path / "work/dataset/44k").as_posix() for p in tmp_path.rglob("work/**/*.wav"))


def state(folder):
    """Every file and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# what comes out


def test_everything_that_training_needs_is_there(two_speakers):
    report = run(two_speakers)
    work = two_speakers / "work"
    expected = ["alice/one_000.wav", "alice/two_000.wav", *[f"bob/song_00{i}.wav" for i in range(4)]]
    assert clips(two_speakers) == expected
    for clip in expected:
        info = soundfile.info(work / "dataset/44k" / clip)
        assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
        features = load_file(work / "dataset/44k" / clip.replace(".wav", ".features.safetensors"))
        assert features["f0"].shape == features["uv"].shape == features["volume"].shape == (info.frames // 512,)
        assert features["units"].shape[1] == 256
    config = Config.load(work / "configs/config.json")
    assert config.spk == {"alice": 0, "bob": 1} and config.model.n_speakers == 2 and config.model.ssl_dim == 256
    assert not config.train.vol_aug
    diffusion = DiffusionConfig.load(work / "configs/diffusion.yaml")
    assert diffusion.spk == {"alice": 0, "bob": 1} and diffusion.data.encoder_out_channels == 256
    assert report.new_clips == report.new_features == 6 and report.skipped == []
    assert not list(work.rglob("*.part"))


def test_the_lists_name_every_clip_once_and_leave_something_to_train_on(two_speakers):
    report = run(two_speakers)
    train, val = (
        (two_speakers / f"work/filelists/{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("train", "val")
    )
    assert sorted(train + val) == [f"dataset/44k/{clip}" for clip in clips(two_speakers)]
    assert (len(train), len(val)) == (report.train, report.val) == (3, 3)
    assert {line.split("/")[2] for line in train} == {line.split("/")[2] for line in val} == {"alice", "bob"}


def test_the_split_depends_on_the_seed_and_hardly_on_new_clips():
    names = [f"dataset/44k/a/{i:03d}.wav" for i in range(40)]
    train, val = split(names, 1)
    assert len(val) == 2 and sorted(train + val) == names
    assert split(names[::-1], 1) == (train, val) and split(names, 2)[1] != val
    assert split([*names, "dataset/44k/a/new.wav"], 1)[1][0] in [*val, "dataset/44k/a/new.wav"]
    assert [tuple(map(len, split(names[:n], 1))) for n in (1, 2, 3, 4)] == [(1, 1), (1, 1), (2, 1), (2, 2)]


def test_a_single_short_recording_trains_too(tmp_path):
    record(tmp_path / "raw/alice/a.wav", voice(1))
    report = run(tmp_path)
    assert (report.train, report.val) == (1, 1)
    assert (tmp_path / "work/filelists/train.txt").read_text() == "dataset/44k/alice/a_000.wav\n"


def test_the_report_says_what_was_sung(two_speakers):
    report = run(two_speakers)
    assert list(report.speakers) == ["alice", "bob"]
    alice, bob = report.speakers.values()
    assert len(alice.clips) == 2 and alice.minutes == pytest.approx(4 / 60, rel=0.05)
    assert bob.minutes == pytest.approx(24 / 60, rel=0.05) and bob.silent == pytest.approx(9 / 33, abs=0.02)
    assert (bob.low, bob.high) == (190, 300) and bob.sung > 0.9 and bob.clipped == 0 and bob.snr > 40
    assert "alice has 4 s of singing" in str(report) and "bob" in str(report)


def test_volume_augmentation_and_presets_reach_the_settings(two_speakers):
    run(two_speakers, vol_aug=True, preset="tiny", seed=7)
    config = Config.load(two_speakers / "work/configs/config.json")
    assert config.train.vol_aug and config.model.vol_embedding and config.model.use_depthwise_conv
    assert config.train.seed == 7


@pytest.mark.parametrize("loudness, top", [("peak", 1.0), ("lufs", None), ("none", 0.3)])
def test_loudness_modes(tmp_path, loudness, top):
    record(tmp_path / "raw/alice/a.wav", voice(3, gain=0.3))
    run(tmp_path, loudness=loudness)
    wav, _ = soundfile.read(tmp_path / "work/dataset/44k/alice/a_000.wav")
    if top:
        assert np.abs(wav).max() == pytest.approx(top, abs=0.01)
    else:
        assert np.abs(wav).max() <= 10 ** (-1 / 20)


def test_progress_counts_recordings_and_clips_to_the_end(two_speakers):
    seen = []
    run(two_speakers, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, 10)) and seen[-1] == (9, 9)


# a second run


def test_a_second_run_does_nothing(two_speakers, engines):
    first = run(two_speakers)
    before, calls = state(two_speakers / "work/dataset/44k"), len(engines)
    report = run(two_speakers)
    assert report.new_clips == report.new_features == 0 and len(engines) == calls  # the encoder was not even loaded
    assert state(two_speakers / "work/dataset/44k") == before
    assert report.speakers == first.speakers and (report.train, report.val) == (first.train, first.val)


def test_a_touched_or_moved_file_changes_nothing_that_took_time(two_speakers, engines):
    run(two_speakers)
    shutil.copytree(two_speakers / "work", two_speakers / "elsewhere/work", copy_function=shutil.copy)  # times change
    (two_speakers / "raw").rename(two_speakers / "elsewhere/raw")
    report = run(two_speakers / "elsewhere")
    assert report.new_clips == report.new_features == 0
    source = two_speakers / "elsewhere/raw/alice/one.wav"
    source.write_bytes(source.read_bytes())
    report = run(two_speakers / "elsewhere")
    assert report.new_clips == 1 and report.new_features == 0  # the clip is the same, so are its features


def test_a_changed_recording_redoes_itself_and_its_old_clips_go(two_speakers):
    run(two_speakers)
    before = state(two_speakers / "work/dataset/44k/alice")
    record(two_speakers / "raw/bob/song.wav", np.concatenate([voice(6, hz=150), silence(3), voice(6, hz=150)]))
    report = run(two_speakers)
    assert report.new_clips == report.new_features == 2
    assert [c for c in clips(two_speakers) if c.startswith("bob")] == ["bob/song_000.wav", "bob/song_001.wav"]
    assert len(list((two_speakers / "work/dataset/44k/bob").iterdir())) == 4
    assert state(two_speakers / "work/dataset/44k/alice") == before


def test_recordings_that_went_take_their_clips_along(two_speakers):
    run(two_speakers)
    (two_speakers / "raw/alice/two.flac").unlink()
    report = run(two_speakers)
    assert clips(two_speakers)[0] == "alice/one_000.wav" and len(report.speakers["alice"].clips) == 1
    shutil.rmtree(two_speakers / "raw/alice")
    report = run(two_speakers)
    assert list(report.speakers) == ["bob"] and not (two_speakers / "work/dataset/44k/alice").exists()
    assert Config.load(two_speakers / "work/configs/config.json").spk == {"bob": 0}
    assert "alice" not in (two_speakers / "work/filelists/train.txt").read_text()


def test_options_redo_just_what_they_change(two_speakers, engines):
    run(two_speakers)
    report = run(two_speakers, f0="dio")
    assert (report.new_clips, report.new_features) == (0, 6)
    report = run(two_speakers, f0="dio", encoder="vec256l9-onnx")
    assert (report.new_clips, report.new_features) == (0, 6)
    report = run(two_speakers, f0="dio", encoder="vec256l9-onnx", loudness="lufs")
    assert (report.new_clips, report.new_features) == (6, 6)
    assert len([call for call in engines if call[0] == "load"]) == 4  # once for each run with work to do


def test_lost_and_damaged_files_are_made_again(two_speakers):
    run(two_speakers)
    folder = two_speakers / "work/dataset/44k/alice"
    (folder / "one_000.wav").unlink()
    (folder / "two_000.features.safetensors").write_bytes(b"damaged")
    report = run(two_speakers)
    assert (report.new_clips, report.new_features) == (1, 1)
    (two_speakers / "work/dataset/manifest.json").write_text("{")
    report = run(two_speakers)
    assert (report.new_clips, report.new_features) == (6, 0)


def test_edited_settings_are_kept_until_their_ground_changes(two_speakers):
    run(two_speakers)
    path = two_speakers / "work/configs/config.json"
    tree = json.loads(path.read_text())
    tree["train"]["batch_size"] = 3
    path.write_text(json.dumps(tree))
    run(two_speakers)
    assert Config.load(path).train.batch_size == 3
    run(two_speakers, preset="tiny")
    assert Config.load(path).train.batch_size == 6 and Config.load(path).model.use_depthwise_conv


@pytest.mark.parametrize("stop, clips_left, features_left", [(2, 1, 6), (5, 0, 4)])
def test_an_interrupted_run_continues(two_speakers, engines, monkeypatch, stop, clips_left, features_left):
    monkeypatch.setattr(features, "BATCH", 13)  # seconds: two clips

    def interrupt(done, total):
        if done == stop:  # of three recordings, then of six clips
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(two_speakers, progress=interrupt)
    report = run(two_speakers)
    assert (report.new_clips, report.new_features) == (clips_left, features_left) and len(clips(two_speakers)) == 6
    assert len([call for call in engines if call[0] == "units"]) == 6  # none was done twice


def test_one_preparation_at_a_time_which_clears_away_what_a_killed_one_left(two_speakers):
    run(two_speakers)
    left = two_speakers / "work/dataset/44k/alice/one_000.wav.0123abcd.part"
    left.write_bytes(b"half")
    with alone_in(two_speakers / "work/dataset", "preparation"):
        with pytest.raises(BusyError, match="Another preparation is at work in"):
            run(two_speakers)
        assert left.exists()
    run(two_speakers)
    assert not left.exists()


# bad input


BAD = {
    "empty.wav": lambda path: path.write_bytes(b""),
    "text.wav": lambda path: path.write_text("la la la"),
    "truncated.wav": lambda path: record(path, voice(2)) and path.write_bytes(path.read_bytes()[:50000]),
    "silent.wav": lambda path: record(path, np.zeros(88200)),
    "nan.wav": lambda path: record(path, np.where(np.arange(88200) == 5, np.nan, voice(2)), subtype="FLOAT"),
    "short.wav": lambda path: record(path, voice(0.2)),
    "header.wav": lambda path: record(path, np.zeros(0)),
}
REASONS = {
    "empty.wav": "empty file",
    "text.wav": "not a sound file",
    "truncated.wav": "cut short",
    "silent.wav": "silent",
    "nan.wav": "not numbers",
    "short.wav": "no 0.5 s of sound",
    "header.wav": "no sound",
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_file_is_reported_and_skipped(tmp_path, monkeypatch, name):
    monkeypatch.setattr("svcnb.audio.shutil.which", lambda program: None)
    record(tmp_path / "raw/alice/good.wav", voice(2))
    BAD[name](tmp_path / "raw/alice" / name)
    report = run(tmp_path)
    assert clips(tmp_path) == ["alice/good_000.wav"]
    [(file, reason)] = report.skipped
    assert file == f"alice/{name}" and REASONS[name] in reason and "\n" not in reason
    assert reason in str(report) and "1 entry was not used" in report.advice[-1]


def test_when_every_file_is_broken_the_reason_is_given(tmp_path):
    (tmp_path / "raw/alice").mkdir(parents=True)
    BAD["silent.wav"](tmp_path / "raw/alice/a.wav")
    with pytest.raises(DataError, match=r"None of the recordings can be used\. .* is silent"):
        run(tmp_path)


def test_a_recording_that_breaks_later_loses_its_clips(two_speakers):
    run(two_speakers)
    BAD["text.wav"](two_speakers / "raw/alice/one.wav")
    report = run(two_speakers)
    assert [file for file, _ in report.skipped] == ["alice/one.wav"] and "alice/one_000.wav" not in clips(two_speakers)


def test_a_speaker_without_recordings_is_reported_and_gets_no_number(two_speakers):
    (two_speakers / "raw/aaron").mkdir()
    report = run(two_speakers)
    assert report.skipped[0][0] == "aaron" and "aaron" not in report.speakers
    assert Config.load(two_speakers / "work/configs/config.json").spk == {"alice": 0, "bob": 1}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: record(path, np.stack([voice(2), voice(2)], 1)),
        lambda path: record(path, voice(2), subtype="PCM_U8"),
        lambda path: record(path, voice(2), subtype="PCM_24"),
        lambda path: record(path, voice(2, gain=3.0), subtype="FLOAT"),
        lambda path: record(path, voice(2, rate=8000), 8000),
        lambda path: record(path, voice(2, rate=96000), 96000),
    ],
    ids=["stereo", "8 bit", "24 bit", "beyond full scale", "8 kHz", "96 kHz"],
)
@pytest.mark.parametrize("loudness", ["peak", "none"])
def test_unusual_files_come_out_like_others(tmp_path, write, loudness):
    write(tmp_path / "raw/alice/a.wav")
    run(tmp_path, loudness=loudness)
    wav, rate = soundfile.read(tmp_path / "work/dataset/44k/alice/a_000.wav")
    assert rate == 44100 and wav.ndim == 1 and len(wav) / rate == pytest.approx(2, abs=0.15)
    assert 0.2 < np.abs(wav).max() <= 1
    assert np.abs(np.diff(wav)).max() < 0.5  # nothing wrapped around


def test_clipping_is_reported(tmp_path):
    record(tmp_path / "raw/alice/a.wav", np.clip(voice(3, gain=2), -1, 1))
    report = run(tmp_path)
    assert report.speakers["alice"].clipped > 0.01 and any("are clipped" in sentence for sentence in report.advice)


def test_unicode_spaces_and_equal_stems_do_not_mix(tmp_path):
    for i, name in enumerate(["my song.wav", "my song.flac", "take 2/my song.wav", "歌.wav", "a|b.wav"]):
        record(tmp_path / "raw/Zoë Müller" / name, voice(1 + i / 2))
    report = run(tmp_path)
    assert len(report.speakers["Zoë Müller"].clips) == 5 and report.skipped == []
    assert clips(tmp_path) == [
        f"Zoë Müller/{name}_000.wav" for name in ("a_b", "my_song-2", "my_song", "take_2_my_song", "歌")
    ]
    listed = (tmp_path / "work/filelists/train.txt").read_text(encoding="utf-8").splitlines()
    assert all((tmp_path / "work" / line).exists() for line in listed)
    assert yaml.safe_load((tmp_path / "work/configs/diffusion.yaml").read_text(encoding="utf-8"))["spk"]


def test_a_clip_without_pitch_is_left_out_of_the_lists(tmp_path, engines):
    record(tmp_path / "raw/alice/a.wav", voice(2))
    record(tmp_path / "raw/alice/breath.wav", 100 * silence(2))
    record(tmp_path / "raw/alice/hum.wav", 0.01 * voice(2))  # the stand-in finds no pitch in what is soft
    for _ in range(2):
        report = run(tmp_path, loudness="none")
        assert [file for file, _ in report.skipped] == ["dataset/44k/alice/hum_000.wav"]
        assert "no pitch" in report.skipped[0][1] and report.train == 1
    assert len([call for call in engines if call[0] == "units"]) == 3


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(encoder="vec768l21"), ConfigError, "did you mean"),
        (dict(f0="harvset"), F0Error, "harvest"),
        (dict(loudness="loud"), AudioError, "peak, lufs and none"),
        (dict(preset="large"), ConfigError, "preset"),
        (dict(encoder_path="nowhere.pt"), EncoderError, "no file"),
        (dict(processes=0), ValueError, "at least one"),
    ],
)
def test_wrong_options_are_refused_before_any_work(two_speakers, options, error, message):
    with pytest.raises(error, match=message):
        run(two_speakers, **options)
    assert not (two_speakers / "work").exists()


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        run(tmp_path)


@pytest.mark.parametrize("raw, work", [("raw", "raw"), ("work/dataset/44k", "work"), (".", "work")])
def test_recordings_and_clips_may_not_lie_in_one_another(two_speakers, raw, work):
    with pytest.raises(DataError, match="keep them apart"):
        prepare(two_speakers / raw, two_speakers / work, encoder="vec256l9", f0="pm", processes=1)


@pytest.mark.parametrize("code, advice", [(errno.ENOSPC, "free some space"), (errno.EACCES, "choose another")])
def test_a_folder_that_cannot_be_written_ends_the_run_with_a_sentence(two_speakers, monkeypatch, code, advice):
    run(two_speakers)
    manifest = (two_speakers / "work/dataset/manifest.json").read_bytes()
    record(two_speakers / "raw/alice/three.wav", voice(2))

    def fail(number):
        raise OSError(code, "no")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match=advice):
        run(two_speakers)
    assert (two_speakers / "work/dataset/manifest.json").read_bytes() == manifest
    assert not list((two_speakers / "work").rglob("*.part"))
    monkeypatch.undo()


def test_a_file_that_may_not_be_read_is_skipped(two_speakers, monkeypatch):
    def refuse(path):
        if path.name == "one.wav":
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("svcnb.audio._refuse_cut_wav", refuse)
    report = run(two_speakers)
    assert report.skipped[0][0] == "alice/one.wav" and "could not be read: Permission denied" in report.skipped[0][1]
