"""pm, dio and harvest against the original's results."""

import numpy as np
import pytest

from svcnb import f0
from svcnb.f0.postprocess import fill

TOLERANCE = {"pm": 1e-2, "dio": 0.1, "harvest": 1e-3}  # Hz


@pytest.mark.parametrize("name", ["pm", "dio", "harvest"])
@pytest.mark.parametrize("voice", ["a", "b"])
@pytest.mark.parametrize("extra", [0, 2])
def test_equals_the_original(golden, name, voice, extra):
    data = np.load(golden("features/f0_classic_and_crepe.npz"))
    rate, hop = int(data[f"{voice}_sr"]), int(data[f"{voice}_hop"])
    wav = data[f"{voice}_audio"] / np.float32(32768)
    frames = len(wav) // hop + extra
    end = f"_plen{frames}" if extra else ""
    out = f0.get(name, rate, hop, original=True)(wav, frames)
    assert (out.voiced == data[f"{voice}_{name}_uv{end}"]).all()
    np.testing.assert_allclose(fill(out.hz, original=True), data[f"{voice}_{name}_f0{end}"], atol=TOLERANCE[name])


@pytest.mark.parametrize("name", ["pm", "dio", "harvest"])
def test_time_does_not_drift(golden, name):
    """The voice glides, so that a curve one frame late would be off in pitch."""
    data = np.load(golden("features/f0_classic_and_crepe.npz"))
    truth = data["a_true_f0"][:111]

    def error(original: bool) -> float:
        out = f0.get(name, original=original)(data["a_audio"] / np.float32(32768))
        both = out.voiced & (truth > 0)
        assert both.sum() > 0.8 * (truth > 0).sum()
        return np.median(np.abs(1200 * np.log2(out.hz[both] / truth[both])))

    assert error(original=False) < 2.5
    assert error(original=False) <= error(original=True) + 0.1


def test_pyworld_needs_no_setuptools(monkeypatch):
    import sys

    from svcnb.f0.classic import import_pyworld

    for name in [name for name in sys.modules if name.split(".")[0] in ("pyworld", "pkg_resources")]:
        monkeypatch.delitem(sys.modules, name)
    assert import_pyworld().__version__
    assert "pkg_resources" not in sys.modules
