"""swiftf0 against what its package gives."""

import sys

import numpy as np
import pytest

from svcnb import f0


def test_equals_the_package(golden):
    pytest.importorskip("swift_f0")
    data = np.load(golden("features/trained_fcpe_swift.npz"))
    wav = data["audio16k"] / np.float32(32768)
    out = f0.get("swiftf0", 16000, 256, f0_max=2093)(wav)
    expected = np.where(data["swift_confidence"] >= 0.5, data["swift_pitch_hz"], 0)
    np.testing.assert_allclose(data["swift_timestamps"], np.arange(81) * 0.016, atol=1e-6)
    np.testing.assert_allclose(out.hz, expected[: len(out.hz)], atol=0.1)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    with pytest.raises(f0.F0Error, match="pip install swift-f0"):
        f0.get("swiftf0")


def test_impossible_range():
    pytest.importorskip("swift_f0")
    with pytest.raises(f0.F0Error, match="not 20 to 40 Hz"):
        f0.get("swiftf0", f0_min=20, f0_max=40)
