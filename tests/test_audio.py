import errno
import stat
import sys

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from svcnb import audio, files
from svcnb.audio import AudioError

RATE = 16000


def tone(seconds=1.0, rate=RATE, hz=440.0, gain=0.5):
    return (gain * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def db(x):
    return 20 * np.log10(np.sqrt(np.mean(np.square(x))))


# reading and writing


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".WAV"])
def test_every_format_comes_back(tmp_path, suffix):
    path, wav = tmp_path / f"a song, é{suffix}", tone(rate=44100)
    audio.save(path, wav, 44100)
    back, rate = audio.load(path)
    assert rate == 44100 and back.dtype == np.float32 and len(back) == len(wav)
    assert np.abs(back - wav).max() < (1e-4 if suffix.lower() in (".wav", ".flac") else 0.05)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing partial is left


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_width_is_read(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", tone(), RATE, subtype=subtype)
    wav, _ = audio.load(tmp_path / "a.wav")
    assert np.abs(wav - tone()).max() < (0.01 if subtype == "PCM_U8" else 1e-4)


def test_channels_are_averaged_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK", 1000)
    soundfile.write(tmp_path / "a.wav", np.stack([tone(), 0 * tone()], 1), RATE, subtype="FLOAT")
    wav, _ = audio.load(tmp_path / "a.wav")
    np.testing.assert_allclose(wav, tone() / 2, atol=1e-7)


def test_values_beyond_full_scale_are_kept_in_reading_and_clipped_in_writing(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(gain=1.5), RATE, subtype="FLOAT")
    wav, _ = audio.load(tmp_path / "a.wav")
    assert wav.max() > 1.49
    audio.save(tmp_path / "b.wav", np.array([1.2, -1.2, 0.5, 1.0]), RATE)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "b.wav", dtype="int16")[0], [32767, -32768, 16384, 32767])


def test_a_rate_can_be_asked_for(tmp_path):
    audio.save(tmp_path / "a.wav", tone(), RATE)
    wav, rate = audio.load(tmp_path / "a.wav", 22050)
    assert rate == 22050 and len(wav) == 22050


def write_text(path):
    path.write_text("this is not sound")


def write_header_only(path):
    soundfile.write(path, np.zeros(0, np.float32), RATE)


def write_nan(path):
    wav = tone()
    wav[8000] = np.nan
    soundfile.write(path, wav, RATE, subtype="FLOAT")


def write_infinities(path):
    wav = np.stack([tone(), tone()], 1)
    wav[8000], wav[9000] = (np.inf, -np.inf), 3e38
    soundfile.write(path, wav, RATE, subtype="FLOAT")


def write_half(path):
    soundfile.write(path, tone(), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (write_header_only, "holds no sound"),
        (write_text, "not a sound file"),
        (write_nan, "not numbers, from 0.50 s"),
        (write_infinities, "not numbers, from 0.50 s"),
        (write_half, "cut short: about 50%"),
        (lambda path: path.mkdir(), "There is no file"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, monkeypatch, write, message):
    monkeypatch.setattr(audio.shutil, "which", lambda name: None)
    path = tmp_path / "a.wav"
    write(path)
    with pytest.raises(AudioError, match=message) as info:
        audio.load(path)
    assert str(path) in str(info.value) and "\n" not in str(info.value)


def test_a_truncated_flac_is_refused(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 50000), RATE)
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(AudioError):
        audio.load(path)


def test_a_wav_written_to_a_pipe_has_no_length_and_is_read(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    path.write_bytes(bytes(data))
    assert len(audio.load(path)[0]) == RATE


def fake_ffmpeg(folder, body):
    program = folder / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_other_formats_go_through_ffmpeg(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "inside.wav", tone(), RATE)
    body = f"sys.stdout.buffer.write(open({str(tmp_path / 'inside.wav')!r}, 'rb').read())"
    program = fake_ffmpeg(tmp_path, body)
    monkeypatch.setattr(audio.shutil, "which", lambda name: program)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    wav, rate = audio.load(tmp_path / "a.m4a")
    assert rate == RATE and len(wav) == RATE


def test_what_ffmpeg_cannot_read_is_refused_with_its_reason(tmp_path, monkeypatch):
    program = fake_ffmpeg(tmp_path, "sys.exit('Invalid data found when processing input')")
    monkeypatch.setattr(audio.shutil, "which", lambda name: program)
    write_text(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"ffmpeg can read \(Invalid data found"):
        audio.load(tmp_path / "a.wav")


def test_writing_refuses_unknown_formats_and_numbers_that_are_none(tmp_path):
    with pytest.raises(AudioError, match=r"\.wav, \.flac, \.mp3, \.ogg"):
        audio.save(tmp_path / "a.aiff", tone(), RATE)
    with pytest.raises(AudioError, match="not numbers"):
        audio.save(tmp_path / "a.wav", np.array([np.nan]), RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code, advice", [(errno.ENOSPC, "free some space"), (errno.EACCES, "choose another")])
def test_a_failed_write_leaves_the_old_file_and_says_what_to_do(tmp_path, monkeypatch, code, advice):
    path = tmp_path / "a.wav"
    audio.save(path, tone(), RATE)
    before = path.read_bytes()

    def fail(number):
        raise OSError(code, "no")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match=advice):
        audio.save(path, tone(2), RATE)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


# rate


def test_the_golden_clip_is_trimmed_resampled_and_levelled_as_by_the_original(golden):
    import librosa

    data = np.load(golden("features/resample.npz"))
    raw = data["raw_int16"].astype(np.float32) / 32768
    trimmed, index = librosa.effects.trim(raw, top_db=40)
    np.testing.assert_array_equal(index, data["trim_index"])
    wav = audio.resample(trimmed, int(data["raw_sr"]), 44100)
    np.testing.assert_allclose(wav, data["resampled_soxr_hq"], atol=1e-5)
    for mode, name in (("peak", "file_int16_skip0"), ("none", "file_int16_skip1")):
        steps = audio.to_int16(audio.normalize(wav, 44100, mode)).astype(int) - data[name]
        assert np.abs(steps).max() <= 1


@pytest.mark.parametrize("n, rate, to, m", [(441, 44100, 16000, 160), (442, 44100, 16000, 161), (3, 48000, 44100, 3)])
def test_the_length_at_another_rate_is_rounded_up(n, rate, to, m):
    assert len(audio.resample(tone()[:n], rate, to)) == m


def test_resampling_keeps_a_tone():
    np.testing.assert_allclose(audio.resample(tone(), RATE, 44100)[500:-500], tone(rate=44100)[500:-500], atol=1e-3)


# loudness and envelope


def test_volume_equals_the_original(golden):
    data = np.load(golden("features/volume.npz"))
    for i in range(5):
        np.testing.assert_allclose(audio.volume(data[f"audio{i}"][0], int(data[f"hop{i}"])), data[f"vol{i}"], atol=1e-6)
    helpers = load_file(golden("inference/helpers.safetensors"))
    for name in [name for name in helpers if name.startswith("volume") and name.endswith("in")]:
        hop = int(name.split(".")[1].split("_")[0])
        expected = helpers[name.replace(".in", ".out")]
        np.testing.assert_allclose(audio.volume(helpers[name][0], hop), expected, atol=1e-6)


def test_volume_of_less_than_a_frame_is_empty():
    assert audio.volume(tone()[:511], 512).shape == (0,)


def test_match_envelope_equals_the_original(golden):
    data = load_file(golden("inference/helpers.safetensors"))
    for i in range(5):
        rate, amount = data[f"rms{i}.sr_rate"]
        source, output = data[f"rms{i}.source"], data[f"rms{i}.output"]
        before = output.copy()
        result = audio.match_envelope(source, output, int(rate), float(amount))
        np.testing.assert_allclose(result, data[f"rms{i}.result"], atol=1e-5)
        np.testing.assert_array_equal(output, before)  # the original writes into it
        assert result.dtype == np.float32


def test_match_envelope_at_one_changes_nothing_and_at_zero_takes_the_source_level():
    quiet, loud = tone(3, gain=0.05), tone(3, hz=300, gain=0.5)
    np.testing.assert_array_equal(audio.match_envelope(quiet, loud, RATE, 1), loud)
    assert db(audio.match_envelope(quiet, loud, RATE, 0)[RATE:-RATE]) == pytest.approx(db(quiet), abs=0.1)


def test_rms_in_blocks_equals_rms_at_once(monkeypatch):
    whole = audio.rms(tone(3), 640, 160)
    monkeypatch.setattr(audio, "BLOCK", 1600)
    np.testing.assert_array_equal(audio.rms(tone(3), 640, 160), whole)
    assert len(whole) == 301


def test_peak_puts_the_loudest_sample_at_full_scale():
    assert np.abs(audio.normalize(tone(gain=0.1), RATE, "peak")).max() == 1
    assert np.abs(audio.normalize(tone(gain=3), RATE, "peak")).max() == 1


def test_lufs_brings_quiet_and_loud_to_one_loudness():
    for gain in (0.01, 0.2):
        wav = audio.normalize(tone(3, rate=44100, gain=gain), 44100, "lufs")
        assert audio.loudness(wav, 44100) == pytest.approx(-18, abs=0.1)


def test_lufs_keeps_the_true_peak_under_the_ceiling():
    clicks = np.zeros(44100, np.float32)
    clicks[1000::11025] = 1.0
    wav = audio.normalize(clicks, 44100, "lufs")
    assert audio.true_peak(wav) <= audio.CEILING * 1.001


def test_the_true_peak_lies_between_the_samples():
    wav = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4).astype(np.float32)  # every sample at 0.707, the crest at 1
    assert np.abs(wav).max() < 0.71
    assert audio.true_peak(wav * np.hanning(4000).astype(np.float32)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("mode", ["peak", "lufs", "none"])
def test_silence_stays_silence(mode):
    assert not audio.normalize(np.zeros(8000, np.float32), RATE, mode).any()


def test_sound_shorter_than_a_loudness_block_has_a_loudness():
    assert audio.loudness(tone(0.1, rate=44100), 44100) == pytest.approx(
        audio.loudness(tone(1, rate=44100), 44100), abs=0.5
    )


def test_an_unknown_mode_is_refused():
    with pytest.raises(AudioError, match="peak, lufs and none"):
        audio.normalize(tone(), RATE, "loud")


# joins


def test_a_crossfade_of_a_sound_with_itself_is_the_sound():
    wav = tone()
    np.testing.assert_allclose(audio.crossfade(wav[:9000], wav[8000:], 1000), wav, atol=1e-6)
    np.testing.assert_array_equal(audio.crossfade(wav[:9000], wav[9000:], 0), wav)


def test_a_crossfade_begins_with_the_first_and_ends_with_the_second():
    joined = audio.crossfade(np.ones(5, np.float32), np.zeros(6, np.float32), 4)
    np.testing.assert_allclose(joined, [1, 1, 2 / 3, 1 / 3, 0, 0, 0], atol=1e-6)


def test_a_crossfade_longer_than_a_piece_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        audio.crossfade(tone()[:100], tone(), 101)
