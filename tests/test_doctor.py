import subprocess
import sys
import types

import pytest

from svcnb import doctor, lesson


def test_every_row_can_be_read():
    rows = doctor.examine()
    assert {"Python", "torch", "torchaudio", "audio files", "f0 fcpe", "lesson voice", "disk"} <= {r.name for r in rows}
    assert all(row.found for row in rows)
    assert all(row.advice for row in rows if not row.ok)


def test_what_is_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(lesson, "voice_path", lambda: tmp_path / "voice.safetensors")
    monkeypatch.setattr(doctor, "ENGINES", {"new": "svcnb_not_there"})
    monkeypatch.setattr(doctor, "WHEELS", {"svcnb_not_there": "svcnb-engine"})
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    rows = {row.name: row for row in doctor.examine()}
    assert rows["lesson voice"].ok is False
    assert rows["f0 new"].ok is False and "pip install svcnb-engine" in rows["f0 new"].advice
    assert rows["ffmpeg"].ok is None


@pytest.fixture
def broken_torchaudio(tmp_path, monkeypatch):
    """A torchaudio that imports only once its compiled part is gone, on a torch without CUDA."""
    package = tmp_path / "torchaudio"
    (package / "lib").mkdir(parents=True)
    (package / "lib/_torchaudio.abi3.so").touch()
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        "if list((Path(__file__).parent / 'lib').glob('*.so')):\n"
        "    raise OSError('libc10_cuda.so: cannot open shared object file')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    torch = types.SimpleNamespace(version=types.SimpleNamespace(cuda=None, hip=None))
    monkeypatch.setitem(sys.modules, "torch", torch)
    return package, torch


def test_torchaudio_is_mended_once(broken_torchaudio):
    package, _ = broken_torchaudio
    assert doctor.mend_torchaudio().startswith("torchaudio mended")
    assert not list(package.glob("lib/*.so"))
    assert subprocess.run([sys.executable, "-c", "import torchaudio"]).returncode == 0
    assert "nothing to mend" in doctor.mend_torchaudio()


def test_torchaudio_beside_cuda_is_left_alone(broken_torchaudio):
    package, torch = broken_torchaudio
    torch.version.cuda = "13.0"
    with pytest.raises(OSError, match="libc10_cuda"):
        doctor.mend_torchaudio()
    assert list(package.glob("lib/*.so"))
