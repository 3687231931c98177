"""The RMVPE network, its front end and its decoder against the original's results."""

import json

import numpy as np
import pytest
import torch

from svcnb import f0
from svcnb.f0.rmvpe import decode, from_checkpoint, mel


@pytest.fixture(scope="module")
def data(golden):
    return np.load(golden("features/rmvpe.npz"))


@pytest.fixture(scope="module")
def state(golden, made_weights):
    """The weights of an rmvpe.pt of the given size."""

    def make(size: str) -> dict:
        layout = json.loads(golden(f"features/layout_rmvpe_{size}.json").read_text())["layout"]
        return made_weights("rmvpe:", layout)

    return make


def test_mel(data):
    wav = torch.from_numpy(data["audio16k"] / np.float32(32768))[None]
    np.testing.assert_allclose(mel(wav), data["mel"], atol=1e-4)
    for semitones in (2, -3):
        expected = data[f"mel_first40_keyshift{semitones}"]
        np.testing.assert_allclose(mel(wav[:, :4000], semitones)[..., : expected.shape[2]], expected, atol=1e-4)


@pytest.mark.parametrize("size, frames", [("tiny", 91), ("full", 37)])
def test_network(data, state, size, frames):
    net = from_checkpoint({"model": state(size)}).eval()
    with torch.inference_mode():
        salience = net(torch.from_numpy(data["mel"])[..., :frames])
    np.testing.assert_allclose(salience, data[f"hidden_{size}"], atol=2e-5)


def test_decoder(data, cents_apart):
    for threshold in (0.05, 0.03):
        assert cents_apart(decode(data["dec_salience"], threshold), data[f"dec_f0_thr{threshold}"]) < 0.05


def test_whole_predictor(data, state, cents_apart, tmp_path):
    torch.save({"model": state("tiny")}, tmp_path / "rmvpe.pt")
    wav = data["audio44k"] / np.float32(32768)
    predictor = f0.get("rmvpe", path=tmp_path / "rmvpe.pt", original=True, device="cpu")
    at_16k = predictor.resample(wav)
    np.testing.assert_allclose(at_16k, data["resampled_44k_to_16k"][0], atol=1e-5)
    assert cents_apart(predictor.pitch(at_16k), data["f0_raw_44k_thr0.05"]) < 0.5
    out = predictor(wav)
    assert (out.voiced == data["final_uv_44k"]).all()
    assert cents_apart(out.filled(), data["final_f0_44k"]) < 0.5
    same_rate = f0.get("rmvpe", 16000, 160, path=tmp_path / "rmvpe.pt", original=True, device="cpu")
    hz = same_rate.pitch(torch.from_numpy(data["audio16k"] / np.float32(32768)))
    assert cents_apart(hz, data["f0_raw_16k_thr0.05"]) < 0.5


def test_file_without_wrapper_in_half_precision(state, tmp_path, data):
    half = {key: value.half() if value.is_floating_point() else value for key, value in state("tiny").items()}
    torch.save({key: value for key, value in half.items() if not key.startswith("unet.tf.")}, tmp_path / "rmvpe.pt")
    net = f0.get("rmvpe", path=tmp_path / "rmvpe.pt", device="cpu").net
    assert next(net.parameters()).dtype == torch.float32
    with torch.inference_mode():
        salience = net(torch.from_numpy(data["mel"]))
    np.testing.assert_allclose(salience, data["hidden_tiny"], atol=5e-3)


def test_half_precision_is_close(state, tmp_path, data):
    torch.save(state("tiny"), tmp_path / "rmvpe.pt")
    whole, halved = (f0.get("rmvpe", path=tmp_path / "rmvpe.pt", device="cpu", half=half).net for half in (False, True))
    assert {halved.cnn.weight.dtype, halved.fc[1].weight.dtype} == {torch.bfloat16, torch.float32}
    with torch.inference_mode():
        salience, narrow = (net(torch.from_numpy(data["mel"])) for net in (whole, halved))
    assert 0 < (narrow - salience).square().mean().sqrt() < 0.05 * salience.std()


def test_limits_hold(state, tmp_path, data):
    torch.save(state("tiny"), tmp_path / "rmvpe.pt")
    out = f0.get("rmvpe", 16000, 160, 100, 300, threshold=0, path=tmp_path / "rmvpe.pt")(data["audio16k"] / 32768)
    assert out.voiced.any() and (out.hz[out.voiced] > 98).all() and (out.hz < 302).all()


def test_long_recording_in_windows_equals_the_whole(state, tmp_path, data, cents_apart):
    weights = state("tiny")
    for key in weights:
        if "gru.weight" in key:
            weights[key] *= 0.02  # made weights saturate the gates, so that it would remember the first frame for ever
    torch.save(weights, tmp_path / "rmvpe.pt")
    predictor = f0.get("rmvpe", 16000, 160, threshold=0, path=tmp_path / "rmvpe.pt", device="cpu")
    wav = np.tile(data["audio16k"] / np.float32(32768), 80)  # 72 s: two windows
    whole = predictor.pitch(torch.from_numpy(wav))
    assert cents_apart(predictor.track(wav)[0], whole) < 0.5


def test_foreign_file_is_refused(state):
    for content in ({"model": {}}, {"weight": torch.zeros(3)}, [1]):
        with pytest.raises(f0.F0Error, match="no RMVPE file"):
            from_checkpoint(content)
    broken = state("tiny")
    del broken["cnn.bias"]
    with pytest.raises(f0.F0Error, match="first is 'cnn"):
        from_checkpoint(broken)


def test_file_is_found_where_downloads_go(state, tmp_path, monkeypatch):
    torch.save(state("tiny"), tmp_path / "rmvpe.pt")
    monkeypatch.setenv("SVCNB_HOME", str(tmp_path))
    assert len(f0.get("rmvpe", device="cpu")(np.ones(5120)).hz) == 10
    with pytest.raises(ValueError, match="There is no file"):
        f0.get("rmvpe", path=tmp_path / "other.pt")
