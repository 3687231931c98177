"""Train the lesson diffusion model: the six lesson singers, mels as the lesson vocoder has them.

    python -m benchmarks.train_lesson_diffusion WORK --minutes 30

It can be stopped and run again. --flow trains a rectified flow instead, --ship writes the model into the package. A
WORK that is prepared already keeps its singers; --held-out leaves one of their songs for validation, --from-lesson
begins with the lesson's network. What the models are worth: `python -m benchmarks.sound`.

Notebook: 04_train_diffusion
"""

import time
from pathlib import Path

import numpy as np
import torch
import typer

from svcnb import lesson
from svcnb.checkpoint import latest, load_diffusion, save_diffusion
from svcnb.config import DiffusionConfig
from svcnb.prepare import prepare
from svcnb.training import train_diffusion


def settings(work: Path, flow: bool = False) -> DiffusionConfig:
    """The work folder's settings, for a network of three million parameters that learns in half an hour on one core."""
    return DiffusionConfig.load(work / "configs/diffusion.yaml").copy_with(
        data=dict(duration=1.0),
        model=dict(n_layers=10, n_chans=160, n_hidden=128) | (dict(type="RectifiedFlow") if flow else {}),
        vocoder=dict(ckpt="vocoder.safetensors"),
        infer=dict(method="euler" if flow else "unipc", speedup=50),
        env=dict(expdir="logs/44k/flow" if flow else "logs/44k/diffusion"),
        train=dict(batch_size=8, lr=6e-4, decay_step=1500, gamma=0.7, interval_val=500, interval_force_save=10**9,
                   ema_decay=0.998, clear_start=True, warmup_steps=100),
    )  # fmt: skip


def hold_out(work: Path, song: str) -> None:
    """Validate on one song, train on all others."""
    clips = sorted(path.relative_to(work).as_posix() for path in work.glob("dataset/44k/*/*.wav"))
    for name, wanted in (("train", False), ("val", True)):
        chosen = [clip for clip in clips if Path(clip).stem.startswith(f"{song}_") == wanted]
        (work / f"filelists/{name}.txt").write_text("".join(f"{clip}\n" for clip in chosen))


def main(
    work: Path, minutes: float = 30, flow: bool = False, ship: bool = False, held_out: str = "",
    from_lesson: bool = False,
) -> None:  # fmt: skip
    """Train for some minutes."""
    if not (work / "configs/config.json").exists():
        lesson.write_songs(work / "raw", songs=lesson.TRAIN_SONGS)
        print(prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson"), flush=True)
    if held_out:
        hold_out(work, held_out)
    began, recent, config = time.monotonic(), [], settings(work, flow)
    base = (lesson.flow_path() if flow else lesson.diffusion_path()) if from_lesson else None
    for step in train_diffusion(work, config, lesson.vocoder_path(), base, device="cpu"):
        recent = [*recent[-499:], step.losses["noise"]]
        if step.saved:
            print(f"step {step.step} {time.monotonic() - began:.0f} s {np.mean(recent):.4f} {step.scores}", flush=True)
            if time.monotonic() - began > 60 * minutes:
                break
    if ship:
        model, trained = load_diffusion(latest(work / config.env.expdir, "model_"))
        beside = trained.copy_with(vocoder={"ckpt": lesson.vocoder_path().name})
        save_diffusion(lesson.flow_path() if flow else lesson.diffusion_path(), model, beside, half=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
