"""Train the lesson diffusion model: the six lesson singers, mels as the lesson vocoder has them.

    python -m benchmarks.train_lesson_diffusion WORK --minutes 30

It can be stopped and run again. --ship writes the model into the package, --report scores the shipped one on a held-out
song: the lesson voice alone, made better by diffusion, and diffusion alone, against what the target singer really sings
in the source's manner.

Notebook: 04_train_diffusion
"""

import time
from pathlib import Path

import numpy as np
import torch
import typer

from svcnb import audio, lesson
from svcnb.checkpoint import latest, load_diffusion, load_vocoder, save_diffusion
from svcnb.config import DiffusionConfig
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.options import Options
from svcnb.prepare import prepare
from svcnb.training import train_diffusion

PAIRS = [("bruno", "mina"), ("clara", "tomas"), ("mina", "emil"), ("vera", "clara")]
SAMPLER, SPEEDUP, K_STEP = "unipc", 50, 100  # 20 calls from noise; shallow 100 steps by 10
WAYS = "So-VITS", "shallow diffusion", "only diffusion", "truth through the vocoder"


def settings(work: Path) -> DiffusionConfig:
    """The work folder's settings, for a network of three million parameters that learns in half an hour on one core."""
    return DiffusionConfig.load(work / "configs/diffusion.yaml").copy_with(
        data=dict(duration=1.0),
        model=dict(n_layers=10, n_chans=160, n_hidden=128),
        vocoder=dict(ckpt="vocoder.safetensors"),
        infer=dict(method=SAMPLER, speedup=SPEEDUP),
        train=dict(batch_size=8, lr=6e-4, decay_step=1500, gamma=0.7, interval_val=500, interval_force_save=10**9,
                   ema_decay=0.998, clear_start=True, warmup_steps=100),
    )  # fmt: skip


def main(work: Path, minutes: float = 30, ship: bool = False, report: str | None = None) -> None:
    """Train for some minutes; or, with --report SONG, only score the shipped model."""
    if report:
        return print(table(lesson.diffusion_path(), report))
    if not (work / "configs/config.json").exists():
        lesson.write_songs(work / "raw", songs=lesson.TRAIN_SONGS)
        print(prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson"), flush=True)
    began, recent, config = time.monotonic(), [], settings(work)
    for step in train_diffusion(work, config, lesson.vocoder_path(), device="cpu"):
        recent = [*recent[-499:], step.losses["noise"]]
        if step.saved:
            print(f"step {step.step} {time.monotonic() - began:.0f} s {np.mean(recent):.4f} {step.scores}", flush=True)
            if time.monotonic() - began > 60 * minutes:
                break
    if ship:
        model, trained = load_diffusion(latest(work / config.env.expdir, "model_"))
        beside = trained.copy_with(vocoder={"ckpt": lesson.vocoder_path().name})
        save_diffusion(lesson.diffusion_path(), model, beside, half=True)


@torch.inference_mode()
def table(path: Path, song: str = "row") -> str:
    """Means over some pairs of singers: distance of mels, of sounds, pitch, likeness."""
    model, vocoder = load_diffusion(path)[0], load_vocoder(lesson.vocoder_path())
    converter, rows = Converter.load(lesson.voice_path(), device="cpu"), []
    for source, target in PAIRS:
        sung, truth = lesson.sing(source, song)[0], lesson.sing(target, song, manner=source)[0]
        shift = lesson.semitones(source, target)
        for sound in ways(converter, model, vocoder, sung, truth, target, shift):
            scores, true = compare(sound, truth, sung, semitones=shift), _mel(vocoder, truth)
            made = _mel(vocoder, sound)[: len(true)]
            apart = (made - true[: len(made)]).abs().mean().item()
            rows.append([apart, scores.mel_distance, scores.f0_median_cents, scores.speaker_similarity,
                         scores.speaker_similarity_source])  # fmt: skip
    means = np.reshape(rows, (len(PAIRS), len(WAYS), -1)).mean(0)
    lines = [f"{'':26}{'log mel':>9}{'mel distance':>14}{'cents':>7}{'like target':>13}{'source':>8}"]
    for way, (apart, mel, cents, like, source) in zip(WAYS, means, strict=True):
        lines.append(f"{way:26}{apart:9.2f}{mel:14.2f}{cents:7.1f}{like:13.3f}{source:8.3f}")
    return "\n".join(lines)


def ways(converter: Converter, model, vocoder, sung: np.ndarray, truth: np.ndarray, target: str, shift: float) -> list:
    """The same song by each of the `WAYS`: sounds (N,)."""
    options = Options(semitones=shift)
    units, f0 = converter.units_and_f0(sung, options)
    row = lambda values: torch.from_numpy(np.asarray(values, np.float32))[None, :, None]
    told = dict(
        units=units.mT, f0=row(f0.filled()), volume=row(audio.volume(sung, converter.hop)[: len(f0.hz)]),
        speaker=torch.tensor([converter.speaker_id(target)]),
    )  # fmt: skip
    noise = lambda: torch.Generator().manual_seed(0)
    speak = lambda mel: vocoder(mel, told["f0"], noise())[0, 0].numpy()
    voice = converter.convert(sung, sample_rate=lesson.RATE, speaker=target, semitones=shift).audio
    start = _mel(vocoder, voice)[None, : len(f0.hz)]
    shallow = model(**told, source_mel=start, k_step=K_STEP, sampler=SAMPLER, speedup=10, generator=noise())
    only = model(**told, sampler=SAMPLER, speedup=SPEEDUP, generator=noise())
    return [voice, speak(shallow), speak(only), speak(_mel(vocoder, truth)[None, : len(f0.hz)])]


def _mel(vocoder, sound: np.ndarray) -> torch.Tensor:
    return vocoder.mel(torch.from_numpy(sound)[None], lesson.RATE)[0]


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
