"""Static and dynamic mixing against the original's results, and what is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from svcnb.mixing import MixError, Timeline, frame_weights, mix_models


@pytest.fixture
def static(golden, tmp_path):
    """The golden cases, the results, and the inputs as files of the original."""
    arrays = load_file(golden("mixing/static_mix.safetensors"))
    cases = {case["name"]: case for case in json.loads(golden("mixing/static_mix.json").read_text())}
    models = [part(arrays, f"in{i}.") for i in range(3)]
    return cases, arrays, models, [store(tmp_path / f"{i}.pth", model) for i, model in enumerate(models)]


def part(arrays, prefix):
    return {key.removeprefix(prefix): tensor for key, tensor in arrays.items() if key.startswith(prefix)}


def store(path, model):
    torch.save({"model": model, "iteration": 1, "optimizer": None, "learning_rate": 1}, path)
    return path


def test_mixes_are_the_originals(static):
    cases, arrays, _, paths = static
    plain = [case for case in cases.values() if all(isinstance(i, int) for i in case.get("inputs", ["file"]))]
    assert len(plain) == 10
    for case in plain:
        mixed = mix_models([paths[i] for i in case["inputs"]], case["rates"], ("convex", "linear")[case["mode"]])
        expected = part(arrays, case["name"] + ".")
        assert mixed.keys() == expected.keys()
        for key, tensor in expected.items():
            assert torch.allclose(mixed[key], tensor, rtol=0, atol=1e-6) and mixed[key].dtype == tensor.dtype


def test_own_files_mix_too(static, tmp_path):
    _, _, models, paths = static
    save_file(models[1], tmp_path / "1.safetensors", {"format": "1", "kind": "sovits"})
    ours, theirs = mix_models([paths[0], tmp_path / "1.safetensors"], [30, 70]), mix_models(paths[:2], [30, 70])
    assert all(torch.equal(ours[key], tensor) for key, tensor in theirs.items())


def test_halves_and_wholes(static, tmp_path):
    _, _, models, paths = static
    half = store(tmp_path / "half.pth", {key: tensor.half() for key, tensor in models[1].items()})
    assert {tensor.dtype for tensor in mix_models([half, paths[0]], [50, 50]).values()} == {torch.float16}
    mixed, exact = mix_models([paths[0], half], [50, 50]), mix_models(paths[:2], [50, 50])
    assert all(torch.allclose(mixed[key], exact[key], atol=1e-3) for key in exact)


def test_what_only_another_model_has_is_left_out(static, tmp_path, caplog):
    _, _, models, paths = static
    more = store(tmp_path / "more.pth", {**models[1], "more.weight": torch.zeros(2)})
    mixed, exact = mix_models([paths[0], more], [50, 50]), mix_models(paths[:2], [50, 50])
    assert all(torch.equal(mixed[key], exact[key]) for key in exact) and mixed.keys() == exact.keys()
    assert "more.weight" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emb_g.weight": torch.zeros(3, 5)}, r"another make than .*: emb_g\.weight \(2×5 and 3×5\)\."),
        ({"emb_g.weight": torch.zeros(1, 5)}, r"emb_g\.weight \(2×5 and 1×5\)"),  # the original spreads it silently
        ({"emb_g.weight": None}, r"emb_g\.weight \(not there\)"),
        ({"emb_g.weight": torch.zeros(2, 5, dtype=torch.int64)}, "holds whole numbers"),
    ],
)
def test_models_of_another_make_are_refused(static, tmp_path, change, message):
    _, _, models, paths = static
    other = store(tmp_path / "x.pth", {**models[1], **change})  # what is no tensor counts as not there
    with pytest.raises(MixError, match=message):
        mix_models([paths[0], other], [50, 50])


def test_percentages_and_modes_are_checked(static):
    paths = static[3]
    with pytest.raises(MixError, match="2 models and 1 percentages"):
        mix_models(paths[:2], [50])
    with pytest.raises(MixError, match="there are convex and linear"):
        mix_models(paths[:2], [50, 50], "softmax")
    with pytest.raises(MixError, match="no number"):
        mix_models(paths[:2], [50, float("nan")])


# Along a song


def mixes(golden):
    cases = json.loads(golden("inference/slice_inference.json").read_text())
    return {case["name"]: case for case in cases if case["name"].startswith("mix_")}


@pytest.mark.parametrize("name", ["const", "ramp", "multi", "uncovered", "all_zero", "clip"])
def test_weights_are_the_originals(golden, name):
    case = mixes(golden)[f"mix_{name}"]
    frames = {"clip": 251}.get(name, 261)  # the original's count, with padding and slack
    weights = Timeline(case["args"]["spk"]).weights(frames)
    assert weights.dtype == np.float32 and len(case["calls"]) > 1
    for call in case["calls"]:
        ours = weights[call["frame"] : call["frame"] + call["n_frames"]]
        assert np.abs(ours - np.array(call["sid_T_S"])).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("negative", "Speaker 0, segment from 0 to 1: a value is negative"),
        ("gap", r"Speaker 0, segment from 0\.5 to 1: it must begin at 0\.4"),
        ("order", r"Speaker 0, segment from 0\.6 to 0\.4: times must rise"),
        ("past_end", r"Speaker 0, segment from 0 to 1\.2: times must rise, from 0 .* to 1"),
        ("keys_not_0_based", r"numbered from 0 without gaps, but these are \[1, 2\]"),
    ],
)
def test_what_the_original_refuses_is_said_in_words(golden, name, message):
    case = mixes(golden)[f"mix_err_{name}"]
    assert case["error"]
    with pytest.raises(MixError, match=message):
        Timeline(case["args"]["spk"])


def test_a_track_for_each_speaker(golden):
    case = mixes(golden)["mix_err_count"]
    with pytest.raises(MixError, match="of 1 speakers, the model has 2"):
        frame_weights(Timeline(case["args"]["spk"]), case["spk2id"], 2, 100)


def test_one_speaker_is_a_mix_too():
    """The original breaks off here."""
    assert (Timeline({0: [[0, 1, 1, 1]]}).weights(7) == 1).all()


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ({}, "numbered from 0"),
        ([1], "dictionary"),
        ({"a": []}, "dictionary"),
        ({0: 1}, "a track is a list"),
        ({0: [1]}, "a segment is"),
        ({0: [[0, 1, 1]]}, "a segment is"),
        ({0: [[0, 1, 1, "x"]]}, "a segment is"),
        ({0: [[0, 1, 1, float("nan")]]}, "must be numbers"),
        ({0: [[-0.1, 1, 1, 1]]}, "times must rise"),
    ],
)
def test_tracks_that_make_no_sense(tracks, message):
    with pytest.raises(MixError, match=message):
        Timeline(tracks)


def test_points_are_joined_by_lines():
    line = Timeline.from_points({0: [(0.25, 1), (0.75, 0)], 1: [(0.5, 0), (0.5, 1)]})
    assert line.tracks[0] == [(0, 0.25, 1, 1), (0.25, 0.75, 1, 0), (0.75, 1, 0, 0)]
    assert line.tracks[1] == [(0, 0.5, 0, 0), (0.5, 1, 1, 1)]
    with pytest.raises(MixError, match="Speaker 0: points"):
        Timeline.from_points({0: [(0.5, 1), (0.4, 1)]})


@pytest.mark.parametrize("file", ["spkmix.py", "mix.json"])
def test_written_and_read_back(golden, tmp_path, file):
    line = Timeline(mixes(golden)["mix_multi"]["args"]["spk"])
    line.save(tmp_path / file)
    assert Timeline.load(tmp_path / file).tracks == line.tracks


def test_the_originals_file_is_read_and_not_run(tmp_path):
    path = tmp_path / "spkmix.py"
    path.write_text("# a map\nimport os\nspk_mix_map = {0: [[0., 1, 1, 1]], 1: [[0., 1, 0, 0]]}\nos._exit(1)\n")
    assert Timeline.load(path).tracks == {0: [(0, 1, 1, 1)], 1: [(0, 1, 0, 0)]}
    for text in ("spk_mix_map = {0: print()}", "other = 1", "spk_mix_map = {", "(" * 5000):
        path.write_text(text)
        with pytest.raises(MixError, match="holds no tracks"):
            Timeline.load(path)


@pytest.mark.parametrize(
    ("mix", "first"),
    [
        ([1, 3], [0.25, 0.75]),
        ({"b": 2, 0: 2}, [0.5, 0.5]),
        (np.full((100, 2), 4.0), [0.5, 0.5]),
        (np.ones((99, 2)), [0.5, 0.5]),
        ([0, 0], [0.5, 0.5]),
    ],
)
def test_shares_of_a_song(mix, first):
    weights = frame_weights(mix, {"a": 0, "b": 1}, 2, 100)
    assert weights.shape == (100, 2) and (weights == np.float32(first)).all()


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ([1, 2, 3], "of 3 speakers, the model has 2"),
        ([1, -1], "from 0 up"),
        ([1, float("inf")], "from 0 up"),
        (np.ones((90, 2)), "has 90 frames, but this song has 100"),
        ({"c": 1}, "no speaker 'c'; it has a, b"),
    ],
)
def test_shares_that_do_not_fit(mix, message):
    with pytest.raises(MixError, match=message):
        frame_weights(mix, {"a": 0, "b": 1}, 2, 100)
