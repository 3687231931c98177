"""Preparation in several processes with a real encoder: stand-ins do not reach another process."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svcnb.prepare import prepare
from tests.prepare.conftest import record, voice


@pytest.fixture
def whisper(tmp_path):
    """A Whisper of the right width and no depth."""
    random = torch.Generator().manual_seed(0)
    shapes = {"conv1.weight": (512, 80, 3), "conv1.bias": (512,), "conv2.weight": (512, 512, 3), "conv2.bias": (512,),
              "positional_embedding": (1500, 512), "ln_post.weight": (512,), "ln_post.bias": (512,)}  # fmt: skip
    weights = {f"encoder.{key}": torch.randn(shape, generator=random) * 0.05 for key, shape in shapes.items()}
    dims = dict(n_mels=80, n_audio_ctx=1500, n_audio_state=512, n_audio_head=8, n_audio_layer=0)
    torch.save({"dims": dims, "model_state_dict": weights}, tmp_path / "whisper.pt")
    return tmp_path / "whisper.pt"


def test_two_processes_give_what_one_gives(tmp_path, whisper):
    for speaker, hz in (("alice", 300), ("bob", 150)):
        for i in range(2):
            record(tmp_path / f"raw/{speaker}/{i}.wav", voice(1 + i / 2, hz=hz))
    record(tmp_path / "raw/bob/broken.wav", np.zeros(44100))
    seen = []
    for processes in (1, 2):
        report = prepare(
            tmp_path / "raw",
            tmp_path / f"work{processes}",
            encoder="whisper-ppg-base",
            encoder_path=whisper,
            f0="pm",
            processes=processes,
            progress=lambda done, total: seen.append((done, total)),
        )
        assert (report.new_clips, report.new_features, len(report.skipped)) == (4, 4, 1)
        assert seen[-1] == (9, 9)
    one, two = (sorted((tmp_path / f"work{n}").rglob("*.features.safetensors")) for n in (1, 2))
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        a, b = load_file(a), load_file(b)
        assert a["units"].shape[1] == 512 and len(a["units"]) > 40
        for key in ("units", "f0", "uv", "volume"):
            torch.testing.assert_close(a[key], b[key])
    for name in ("filelists/train.txt", "configs/config.json"):
        assert (tmp_path / "work1" / name).read_bytes() == (tmp_path / "work2" / name).read_bytes()
