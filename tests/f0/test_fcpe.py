"""The FCPE network, its front end and its decoder against the original's and torchfcpe's results."""

import json

import numpy as np
import pytest
import torch

from svcnb import f0
from svcnb.f0.fcpe import decode, from_checkpoint, mel
from svcnb.f0.neural import weights_in


@pytest.fixture(scope="module")
def data(golden):
    return np.load(golden("features/fcpe.npz"))


@pytest.fixture(scope="module")
def checkpoint(golden, made_weights):
    """An fcpe.pt of the given size."""

    def make(size: str) -> dict:
        layout = json.loads(golden(f"features/layout_fcpe_{size}.json").read_text())
        state = made_weights("fcpe:", layout["layout"])
        state["cent_table"] = from_checkpoint_table()
        return {"config": {"model": layout["config"]}, "model": state}

    return make


def from_checkpoint_table() -> torch.Tensor:
    return torch.linspace(*(1200 * np.log2(np.array([32.70, 1975.5]) / 10)).tolist(), 360)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_mel(data, rate):
    name = f"{rate // 1000}k"
    wav = f0.get("fcpe", rate, device="cpu").resample(data[f"audio{name}"] / np.float32(32768))
    np.testing.assert_allclose(mel(wav[None])[0], data[f"mel_{name}"][0], atol=1e-4)


@pytest.mark.parametrize("size, frames", [("tiny", 91), ("full6", 40)])
def test_network(data, checkpoint, cents_apart, size, frames):
    net = from_checkpoint(checkpoint(size)).eval()
    np.testing.assert_allclose(net.cent_table, data["cent_table"], atol=1e-3)
    with torch.inference_mode():
        salience = net(torch.from_numpy(data["mel_16k"])[:, :frames])[0].numpy()
    np.testing.assert_allclose(salience, data[f"prob_{size}"][0], atol=1e-5)
    hz = decode(salience, net.cent_table.numpy(), 0.05, clamp=True)
    assert cents_apart(hz, data[f"f0_local_{size}"]) < 0.5


def test_decoder(data, cents_apart):
    hz = decode(data["dec_salience"], data["cent_table"], 0.05, clamp=True)
    assert cents_apart(hz, data["dec_local_f0_thr0.05"]) < 0.05


def test_whole_predictor(data, checkpoint, cents_apart, tmp_path):
    torch.save(checkpoint("tiny"), tmp_path / "fcpe.pt")
    wav = data["audio44k"] / np.float32(32768)
    out = f0.get("fcpe", path=tmp_path / "fcpe.pt", original=True, device="cpu")(wav)
    assert (out.voiced == data["final_uv_44k"]).all()
    assert cents_apart(out.filled(), data["final_f0_44k"]) < 0.5


def test_weights_of_the_package(golden, cents_apart):
    data = np.load(golden("features/trained_fcpe_swift.npz"))
    predictor = f0.get("fcpe", 16000, 160, device="cpu")
    wav = torch.from_numpy(data["audio16k"] / np.float32(32768))
    spec = mel(wav[None])
    np.testing.assert_allclose(spec[0], data["fcpe_mel"][0], atol=1e-4)
    with torch.inference_mode():
        salience = predictor.net(spec)[0].numpy()
    np.testing.assert_allclose(salience[::3], data["fcpe_latent_every3"][0], atol=1e-4)
    for threshold in (0.006, 0.05):
        hz = decode(salience, predictor.net.cent_table.numpy(), threshold, clamp=True)
        assert cents_apart(hz, data[f"fcpe_f0_thr{threshold}"]) < 0.5


def test_limits_hold(hum):
    out = f0.get("fcpe", f0_min=100, f0_max=300, device="cpu")(hum(440))
    assert (out.hz <= 310).all()
    assert np.median(f0.get("fcpe", device="cpu")(hum(440)).hz) == pytest.approx(440, rel=0.01)


def test_foreign_file_is_refused(tmp_path):
    for content in ({"model": {"weight": torch.zeros(3)}}, {"weight": torch.zeros(3)}):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(f0.F0Error, match="no FCPE file"):
            f0.get("fcpe", path=tmp_path / "other.pt")


def test_missing_package_is_named():
    with pytest.raises(f0.F0Error, match="pip install not-there"):
        weights_in("not_there", "weights.pt", "not-there")
