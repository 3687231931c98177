"""Small models and small data to train on."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from svcnb import audio
from svcnb.config import Config
from svcnb.dataset import features_path

from ..models.conftest import arrays, tiny, tiny_config  # noqa: F401

RATE, HOP = 16000, 64


def small_config() -> Config:
    """A So-VITS of some thousand parameters, saved after every second step."""
    config = Config.preset("lesson", "lesson", ["ann", "bob"])
    return config.copy_with(
        train=dict(
            batch_size=2, segment_size=16 * HOP, crop_frames=40, eval_interval=2, log_interval=1, disc_width=0.0625,
            ema_decay=0.9, vol_aug=True, learning_rate=0.0004, disc_start=0,
        ),
        data=dict(
            sampling_rate=RATE, filter_length=256, win_length=256, hop_length=HOP, mel_fmax=8000, n_mel_channels=20,
        ),
        model=dict(
            inter_channels=8, hidden_channels=8, filter_channels=16, n_layers=1, n_heads=2, gin_channels=4, ssl_dim=6,
            upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], upsample_initial_channel=16, sampling_rate=RATE,
            p_dropout=0.1, vol_embedding=True,
        ),
    )  # fmt: skip


def prepared(work: Path, config: Config, seconds: float = 0.5, clips: int = 3) -> Path:
    """A work folder as `prepare` leaves it: clips of a gliding tone and their features."""
    rng, lists = np.random.default_rng(0), {"train": [], "val": []}
    for speaker in config.spk:
        for i in range(clips):
            frames = int(seconds * RATE / HOP)
            f0 = np.linspace(150, 150 + 60 * (i + 1), frames)
            cycles = np.cumsum(np.repeat(f0, HOP)) / RATE
            wav = 0.3 * np.sin(2 * np.pi * cycles) + 0.01 * rng.standard_normal(len(cycles))
            clip = work / f"dataset/44k/{speaker}/{i}.wav"
            audio.save(clip, wav.astype(np.float32), RATE)
            features = dict(
                units=rng.standard_normal((frames * 4 // 5, config.model.ssl_dim)), f0=f0, uv=np.ones(frames),
                volume=audio.volume(wav, HOP),
            )  # fmt: skip
            save_file({k: v.astype(np.float32) for k, v in features.items()}, features_path(clip))
            lists["val" if i == 0 else "train"].append(clip.relative_to(work).as_posix())
    for name, lines in lists.items():
        (work / "filelists").mkdir(exist_ok=True)
        (work / f"filelists/{name}.txt").write_text("\n".join(lines) + "\n")
    config.save(work / "configs/config.json")
    return work


@pytest.fixture
def work(tmp_path):
    return prepared(tmp_path, small_config())
