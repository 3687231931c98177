import itertools
import json

import numpy as np
import pytest

from svcnb.slicer import Chunk, Frames, slice_silence


def sound(sample_rate, segments):
    """Segments of (seconds, rms in dB or None, Hz), joined."""
    parts, n = [], 0
    for seconds, level, hz in segments:
        index = np.arange(n, n + round(seconds * sample_rate))
        n += len(index)
        gain = 0 if level is None else 10 ** (level / 20) * np.sqrt(2)
        parts.append(gain * np.sin(2 * np.pi * hz * index / sample_rate))
    return np.concatenate(parts).astype(np.float32)


def test_every_case_is_cut_as_by_the_original(golden):
    for name, case in json.loads(golden("inference/slicer.json").read_text()).items():
        wav = sound(case["sr"], case["segments_sec_rmsdb_freq"])
        assert len(wav) == case["n_samples"], name
        options = dict(threshold_db=case["cut_kwargs"].get("db_thresh", -30))
        if "min_len" in case["cut_kwargs"]:
            options["min_length"] = case["cut_kwargs"]["min_len"] / 1000
        chunks = slice_silence(wav, case["sr"], **options)
        expected = [(*map(int, c["split_time"].split(",")), not c["slice"]) for c in case["chunks"].values()]
        assert [(c.start, c.end, c.voiced) for c in chunks] == [c for c in expected if c[1] > c[0]], name
        assert [[not c.voiced, c.end - c.start] for c in chunks] == case["parts"], name


def test_settings_are_counted_as_by_the_original(golden):
    for name, expected in json.loads(golden("inference/slicer_params.json").read_text()).items():
        sample_rate, milliseconds = map(int, name.split("_"))
        frames = Frames.of(sample_rate, min_length=milliseconds / 1000)
        expected.pop("threshold")
        assert list(vars(frames).values()) == list(expected.values()), name


@pytest.mark.parametrize("seed", range(5))
def test_chunks_follow_on_one_another_and_cover_everything(seed):
    rng = np.random.default_rng(seed)
    segments = [(rng.uniform(0.1, 8), rng.choice([-12, -60]), 200) for _ in range(12)]
    wav = sound(8000, segments)
    chunks = slice_silence(wav, 8000, min_length=1.0, max_silence_kept=0.5)
    assert chunks[0].start == 0 and chunks[-1].end == len(wav)
    assert all(a.end == b.start for a, b in itertools.pairwise(chunks))
    assert all(c.end > c.start for c in chunks)


def test_a_long_recording_is_measured_in_blocks_with_the_same_result():
    segments = [(70, -12, 200), (2, None, 0)] * 2  # over a block of samples at 8000 Hz
    chunks = slice_silence(sound(8000, segments), 8000)
    assert [c.voiced for c in chunks] == [True, True, False]
    assert chunks[0].end / 8000 == pytest.approx(71, abs=1.1)


def test_silence_and_nothing():
    assert not any(c.voiced for c in slice_silence(np.zeros(44100, np.float32), 44100))
    assert slice_silence(np.zeros(10, np.float32), 44100) == [Chunk(0, 10, True)]


def test_lengths_that_contradict_are_refused():
    with pytest.raises(ValueError, match="min_length >= min_interval"):
        slice_silence(np.zeros(44100, np.float32), 44100, min_length=0.1)
