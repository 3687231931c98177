import json
import threading

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from svcnb import audio, stream
from svcnb.audio import AudioError
from svcnb.slicer import Chunk, slice_silence
from svcnb.stream import Piece, Source, find_chunks, fit, join, one_ahead, plan, writer

RATE = 8000


def song(seconds=3.0, rate=RATE, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


# Reading


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_file_is_read_the_same_in_stretches_as_at_once(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(stream, "BLOCK", 3000)
    path = tmp_path / f"a.{suffix}"
    audio.save(path, song(), RATE)
    whole, _ = audio.load(path)
    with Source(path, 44100) as source:
        assert (source.samples, source.sample_rate) == (len(whole), RATE)
        for start, stop in [(0, 10), (5000, 9000), (100, 200), (len(whole) - 5, len(whole))]:
            assert np.abs(source.read(start, stop) - whole[start:stop]).max() < 1e-6


def test_beyond_the_ends_is_silence():
    source = Source(np.ones(4), RATE)
    assert source.read(-2, 6).tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("shape", [(2, 100), (100, 2)])
def test_channels_of_an_array_are_averaged_either_way_round(shape):
    wav = np.zeros(shape)
    (wav if shape[0] == 2 else wav.T)[0] = 1
    assert Source(wav, RATE).read(0, 100).tolist() == [0.5] * 100


def test_whole_numbers_are_scaled_to_full_scale():
    assert Source(np.array([-32768, 16384], np.int16), RATE).read(0, 2).tolist() == [-1, 0.5]


@pytest.mark.parametrize(
    "wav, message", [(np.zeros(0), "holds no sound"), (np.zeros((2, 3, 4)), "an array"), (np.float32(1), "an array")]
)
def test_an_array_that_is_no_sound_is_refused(wav, message):
    with pytest.raises(AudioError, match=message):
        Source(wav, RATE)


def test_a_missing_file_and_a_value_that_is_no_number_are_refused(tmp_path):
    with pytest.raises(AudioError, match="There is no file"):
        Source(tmp_path / "a.wav", RATE)
    wav = song()
    wav[12000] = np.inf
    with pytest.raises(AudioError, match=r"not numbers, from 1\.50 s"):
        find_chunks(Source(wav, RATE), -40)


# Planning


def test_chunks_of_a_stream_equal_those_of_the_whole(monkeypatch):
    rng = np.random.default_rng(1)
    wav = np.concatenate([song(n, seed=i) * (i % 2) for i, n in enumerate(rng.uniform(0.2, 9, 14))])
    monkeypatch.setattr(stream, "BLOCK", 5000)
    for rate in (RATE, 7777):
        chunks = find_chunks(Source(wav, rate), -40)
        assert len(chunks) > 4
        assert chunks == slice_silence(wav, rate, -40)
    assert find_chunks(Source(wav[:100], RATE), -40) == [Chunk(0, 100, True)]


def test_pieces_are_split_as_by_the_original(golden):
    for case, expected in json.loads(golden("inference/helpers.json").read_text()).items():
        if not case.startswith("split"):
            continue
        length, step, lead = (int(item.split("=")[1]) for item in case[len("split_list_by_n(") : -1].split(","))
        if lead > step:  # not offered: the original then joins pieces that do not overlap
            continue
        pieces = plan([Chunk(0, length, True)], 1, step, lead)
        assert [list(range(piece.start, piece.end)) for piece in pieces] == expected, case


@pytest.mark.parametrize("voiced", [True, False])
def test_what_is_long_is_cut_evenly_even_if_not_asked_to(voiced):
    pieces = list(plan([Chunk(0, 60 * RATE, voiced)], RATE))
    lead = RATE // 2 * voiced
    assert [piece.end for piece in pieces] == [20 * RATE, 40 * RATE, 60 * RATE]
    assert [piece.overlap for piece in pieces] == [0, lead, lead]
    assert pieces[1].start == 20 * RATE - lead
    assert list(plan([Chunk(0, 25 * RATE, True)], RATE)) == [Piece(0, 25 * RATE, True)]


# Joining


def test_lengths_are_brought_right_as_by_the_original(golden):
    golden = load_file(golden("inference/helpers.safetensors"))
    for name in [name for name in golden if name.startswith("pad_array") and name.endswith("in")]:
        length, target = map(int, name.split(".")[1].split("_"))
        expected = golden[name.replace(".in", ".out")]
        ours = fit(golden[name], target)
        assert len(ours) == target
        if length <= target:
            assert np.array_equal(ours, expected)
        else:  # the original leaves it too long, so that the rest of the song comes late
            assert len(expected) == length and np.array_equal(ours, expected[:target])


@pytest.mark.parametrize("retain", [1.0, 0.75, 0.01])
def test_pieces_of_one_sound_join_to_that_sound(retain):
    wav = song()
    pieces = list(plan([Chunk(0, 9000, True), Chunk(9000, len(wav), True)], RATE, 0.5, 0.2))
    joined = list(join([(wav[piece.start : piece.end], piece.overlap) for piece in pieces], retain))
    assert len(joined) > len(pieces) and np.abs(np.concatenate(joined) - wav).max() < 1e-6


def test_a_crossfade_takes_the_middle_of_the_overlap():
    joined = np.concatenate(list(join([(np.zeros(20, np.float32), 0), (np.ones(20, np.float32), 8)], 0.5)))
    assert np.allclose(joined, [0] * 14 + [0, 1 / 3, 2 / 3, 1] + [1] * 14)


# Writing


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_what_is_written_block_by_block_is_what_is_written_at_once(tmp_path, suffix):
    wav = song(70)
    audio.save(tmp_path / f"once.{suffix}", wav, RATE)
    with writer(tmp_path / f"blocks.{suffix}", RATE) as write:
        for start in range(0, len(wav), 250000):
            write(wav[start : start + 250000])
            write(wav[:0])
    once, blocks = (audio.load(tmp_path / f"{name}.{suffix}")[0] for name in ("once", "blocks"))
    assert len(once) == len(blocks) and np.abs(once - blocks).max() < 1e-4


def test_what_is_too_loud_is_clipped_and_another_suffix_refused(tmp_path):
    with writer(tmp_path / "a.wav", RATE) as write:
        write(np.float32([2, -2]))
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).min() > 0.99
    with pytest.raises(AudioError, match=r"formats are \.wav, \.flac, \.mp3, \.ogg"), writer(tmp_path / "a.wma", RATE):
        pass


def test_an_interruption_leaves_what_was_there(tmp_path):
    (tmp_path / "a.wav").write_text("before")
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "a.wav", RATE) as write:
        write(song())
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_text() == "before"


def test_a_disk_that_refuses_more_is_one_sentence(tmp_path):
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OSError, match=r"a\.flac could not be written"), writer(tmp_path / "a.flac", RATE) as write:
            for _ in range(50):
                write(song())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(self, data):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    monkeypatch.setattr(stream.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 0}))
    with pytest.raises(OSError, match="the disk is full"), writer(tmp_path / "a.wav", RATE) as write:
        write(song())


def test_the_next_item_is_made_while_one_is_in_use():
    begun = [threading.Event() for _ in range(3)]

    def items():
        for i, event in enumerate(begun):
            event.set()
            yield i

    for i, item in enumerate(one_ahead(items())):
        assert item == i and begun[min(i + 1, 2)].wait(10)


def test_what_goes_wrong_ahead_is_raised_in_its_turn():
    def items():
        yield 1
        raise ValueError("two")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="two"):
        next(ahead)
