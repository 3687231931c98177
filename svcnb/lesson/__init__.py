"""The embedded default: singers made of arithmetic, their songs with the truth behind them, and a small trained voice.

Notebook: 01_data
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from svcnb.lesson.phones import PHONES
from svcnb.lesson.score import Note, Song, read
from svcnb.lesson.singers import Truth, render, sing
from svcnb.lesson.songs import HELD_OUT_SONGS, SONGS, TRAIN_SONGS
from svcnb.lesson.tract import RATE
from svcnb.lesson.voices import NEWCOMER, SINGERS, Singer, semitones

__all__ = [
    "HELD_OUT_SONGS", "NEWCOMER", "NEW_SINGER", "PHONES", "RATE", "SINGERS", "SONGS", "TRAIN_SONGS", "Note", "Singer",
    "Song", "Truth", "critic_path", "diffusion_path", "encoder_path", "flow_path", "read", "render", "semitones",
    "sing", "vocoder_path", "voice_path", "write_songs",
]  # fmt: skip

NEW_SINGER = {  # settings of training with which the lesson voice learns a new singer in minutes
    "learning_rate": 4e-4, "lr_decay": 0.998, "disc_start": 0, "ema_decay": 0.98, "eval_interval": 100,
}  # fmt: skip


def write_songs(folder: str | Path, singers: Iterable[str] | None = None, songs: Iterable[str] | None = None) -> None:
    """Write folder/<singer>/<song>.wav (16-bit, 44.1 kHz) and beside it the truth, <song>.npz."""
    for singer in singers or SINGERS:
        place = Path(folder) / singer
        place.mkdir(parents=True, exist_ok=True)
        for song in songs or SONGS:
            wav, truth = sing(singer, song)
            soundfile.write(place / f"{song}.wav", wav, RATE, "PCM_16")
            np.savez_compressed(place / f"{song}.npz", **vars(truth))


def voice_path() -> Path:
    """The lesson voice: a So-VITS model of the lesson singers."""
    return Path(__file__).with_name("voice.safetensors")


def critic_path() -> Path:
    """The discriminator that the lesson voice was trained with, for training a new singer from it."""
    return Path(__file__).with_name("critic.safetensors")


def encoder_path() -> Path:
    """The weights of the lesson encoder."""
    return Path(__file__).with_name("encoder.safetensors")


def vocoder_path() -> Path:
    """The lesson vocoder: mels as the community's 44.1 kHz vocoders have them, sung by any voice."""
    return Path(__file__).with_name("vocoder.safetensors")


def diffusion_path() -> Path:
    """The lesson diffusion model: mels of the lesson singers for the lesson vocoder."""
    return Path(__file__).with_name("diffusion.safetensors")


def flow_path() -> Path:
    """The lesson rectified flow: the same network as the lesson diffusion model, taught to go straight."""
    return Path(__file__).with_name("flow.safetensors")
