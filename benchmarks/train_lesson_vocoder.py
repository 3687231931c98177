"""Train the lesson vocoder: a small NSF-HiFiGAN on the lesson singers and on thirty voices that nobody has met.

    python -m benchmarks.train_lesson_vocoder WORK --minutes 45

It starts from the decoder of the lesson voice, which has learnt to sing from a latent; only its first layer is new. It
can be stopped and run again; --base goes on from a trained vocoder. --ship writes the vocoder into the package,
--report scores the shipped one: held-out songs, by the lesson singers, the newcomer and two new voices, from their mels
and back.

Notebook: 04_train_diffusion
"""

import time
from pathlib import Path

import numpy as np
import soundfile
import torch
import typer

from svcnb import f0 as pitch
from svcnb import lesson
from svcnb.checkpoint import (
    load_base,
    load_sovits,
    load_vocoder,
    new_vocoder,
    save_discriminator,
    save_vocoder,
)  # fmt: skip
from svcnb.config import VocoderConfig
from svcnb.evaluate import compare
from svcnb.lesson.voices import random_singer
from svcnb.models.discriminators import Discriminator
from svcnb.prepare import prepare
from svcnb.training.vocoder import VocoderTraining, train_vocoder

CONFIG = VocoderConfig(  # mels as the community's 44.1 kHz vocoders have them, the network of the lesson preset
    sampling_rate=44100, num_mels=128, n_fft=2048, hop_size=512, win_size=2048, fmin=40, fmax=16000,
    resblock="2", resblock_kernel_sizes=[3, 5, 7], resblock_dilation_sizes=[[1, 2], [2, 6], [3, 12]],
    upsample_rates=[8, 8, 8], upsample_kernel_sizes=[16, 16, 16], upsample_initial_channel=256,
    sawtooth=True,
)  # fmt: skip
TRAIN = VocoderTraining(
    learning_rate=6e-4, lr_decay=0.985, eps=1e-9, c_mel=30, disc_start=1500, disc_width=0.25, grad_clip=200,
    ema_decay=0.995, eval_interval=250, log_interval=50,
)  # fmt: skip
STRANGERS = 30


def main(work: Path, minutes: float = 45, base: Path | None = None, ship: bool = False, report: bool = False) -> None:
    """Train for some minutes; or, with --report, only score the shipped vocoder."""
    if report:
        return print(table(lesson.vocoder_path()))
    if not (work / "configs/config.json").exists():
        sing(work / "raw")
        print(prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson"), flush=True)
    began = time.monotonic()
    for step in train_vocoder(work, base or start(work), CONFIG, TRAIN, device="cpu"):
        if step.saved:
            losses = " ".join(f"{name} {value:.2f}" for name, value in step.losses.items())
            print(f"step {step.step} {time.monotonic() - began:.0f} s  {losses}  val {step.scores}", flush=True)
            saved = step.saved
            if time.monotonic() - began > 60 * minutes:
                break
    print(table(saved))
    if ship:
        save_vocoder(lesson.vocoder_path(), load_vocoder(saved), half=True)


def sing(raw: Path) -> None:
    """Half of the training songs by each lesson singer, and one by each of many strangers, in any key."""
    for i, singer in enumerate(lesson.SINGERS):
        lesson.write_songs(raw, [singer], lesson.TRAIN_SONGS[i % 2 :: 2])
    folder, rng = raw / "anyone", np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(STRANGERS):
        singer, song = random_singer(rng), str(rng.choice(lesson.TRAIN_SONGS))
        wav = lesson.sing(singer, song, transpose=int(rng.integers(-3, 4)), seed=i + 1)[0]
        soundfile.write(folder / f"{i:02}.wav", wav, lesson.RATE, "PCM_16")


def start(work: Path) -> Path:
    """A vocoder with the lesson voice's decoder in it, and the critics that it was trained with beside it."""
    path = work / "start/G_0.safetensors"
    voice, _ = load_sovits(lesson.voice_path())
    vocoder = new_vocoder(CONFIG)
    own = vocoder.state_dict()
    trained = {key: value for key, value in voice.dec.state_dict().items() if key in own and "conv_pre" not in key}
    vocoder.load_state_dict(own | trained)
    save_vocoder(path, vocoder)
    critics = Discriminator(width=TRAIN.disc_width)
    load_base(lesson.critic_path(), critics)
    save_discriminator(path.with_name("D_0.safetensors"), critics, CONFIG)
    return path


def table(path: Path) -> str:
    """Scores of singing held-out songs again from their mels."""
    vocoder, fcpe, rng = load_vocoder(path), pitch.get("fcpe", lesson.RATE, 512), np.random.default_rng(99)
    lines, rows = [f"{'':16}{'cents':>7}{'voicing':>9}{'mel':>7}{'similarity':>12}{'timbre':>8}"], []
    strangers = [random_singer(rng, f"stranger {i + 1}") for i in range(2)]
    for singer in [*lesson.SINGERS, lesson.NEWCOMER, *strangers]:
        for song in lesson.HELD_OUT_SONGS[:2]:
            wav = lesson.sing(singer, song)[0]
            scores = compare(again(vocoder, wav, fcpe), wav)
            rows.append([scores.f0_median_cents, scores.vuv_error, scores.mel_distance, scores.speaker_similarity,
                         scores.timbre_similarity])  # fmt: skip
            lines.append(f"{getattr(singer, 'name', singer):>10} {song:5}" + _numbers(rows[-1]))
    return "\n".join([*lines, f"{'mean':>16}" + _numbers(np.mean(rows, 0))])


@torch.inference_mode()
def again(vocoder: torch.nn.Module, wav: np.ndarray, predictor) -> np.ndarray:
    """A song (N,) through its mel and back."""
    f0, sound = predictor(wav), torch.from_numpy(wav)[None]
    hz = torch.from_numpy(f0.hz).float()[None]
    return vocoder(vocoder.mel(sound, lesson.RATE), hz, torch.Generator().manual_seed(0))[0, 0].numpy()


def _numbers(row) -> str:
    return "".join(
        f"{value:{width}}" for value, width in zip(row, ("7.1f", "9.3f", "7.2f", "12.3f", "8.2f"), strict=True)
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
