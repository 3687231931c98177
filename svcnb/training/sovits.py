"""Train So-VITS: a generator and its critics take turns (Goodfellow et al. 2014), step by step in a `for` loop.

    for step in train_sovits("work"):
        print(step.step, step.losses["mel"])

Breaking out of the loop, or interrupting it, saves; calling it again goes on from there.

Notebook: 03_train_sovits
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from svcnb import checkpoint
from svcnb.checkpoint import CheckpointError
from svcnb.config import Config, TrainConfig
from svcnb.dataset import Batch, Batches, SovitsDataset, collate
from svcnb.lora import TRAINING_ONLY, save_lora
from svcnb.models import lora
from svcnb.models.discriminators import Discriminator
from svcnb.models.nsf_hifigan import silence_hum
from svcnb.models.sovits import Sovits, clear_start, slice_frames
from svcnb.spectral import spec_to_mel, training_mel
from svcnb.training import gan, loop, losses
from svcnb.training.board import reporter
from svcnb.training.loop import Step
from svcnb.training.state import State, describe, stored_state
from svcnb.weights import fit

LOGS = "logs/44k"  # inside the work folder: models, state, log


def train_sovits(
    work: str | Path,
    config: Config | None = None,
    base: str | Path | None = None,
    resume: bool = True,
    max_steps: int | None = None,
    precision: str = "auto",
    device: str = "auto",
    tensorboard: bool = False,
) -> Iterator[Step]:
    """Train a voice on a prepared work folder; yields after each step.

    It goes on from the state in the work folder if there is one and `resume` holds, else from the `base` model (a
    G_*.safetensors or original G_*.pth, its critic D_* beside it), else from G_0 and D_0 in the logs folder, else from
    scratch. `config` defaults to the work folder's. Ends after `max_steps` steps in all, or the config's epochs.
    Raises ResumeError, BusyError, DatasetError, ConfigError, CheckpointError, OSError.
    """
    work = Path(work)
    folder, config = work / LOGS, config or Config.load(work / "configs/config.json")
    train = config.train
    if precision == "auto" and train.fp16_run:
        precision = "bf16" if train.half_type == "bf16" else "fp16"
    acc = loop.accelerator(precision, device)
    data = SovitsDataset(config, work)
    tree = config.model_dump(mode="json")
    settings = {key: tree[key] for key in ("train", "data", "model", "spk")}
    with loop.alone_in(folder, acc):
        going_on = resume and stored_state(folder / "state.pt")
        base = None if going_on else base or checkpoint.latest(folder, "G_0")
        if config.train.lora_rank and not (going_on or base):
            raise CheckpointError("Low-rank weights are added to a finished model: give one as the base.")
        state = new_state(config, acc, describe(settings, data.fingerprint()), base)
        if going_on:
            state.load(folder / "state.pt")
        batches = Batches(len(data), train.batch_size, train.seed, state.step, acc.process_index, acc.num_processes)
        last = min(loop.ENDLESS if max_steps is None else max_steps, train.epochs * batches.per_epoch)
        report = reporter(
            folder, train.log_interval, tensorboard and acc.is_main_process, config.data.sampling_rate, _curve
        )
        if acc.is_main_process:
            config.save(folder / "config.json")

        def advance(batch: Batch) -> Step:
            epoch, batch = state.step // batches.per_epoch + 1, batch.to(acc.device)
            step = lambda: train_step(state, batch, config, acc)
            return loop.make_step(state, step, learning_rate(train, epoch), train.seed, epoch, last, acc)

        keep = lambda step: _evaluate_and_save(state, config, work, step, acc)
        loader = _loader(data, batches, acc)
        yield from loop.run(state, loader, last, train.eval_interval, advance, keep, report)


def new_state(config: Config, acc, made_from: dict | None = None, base: str | Path | None = None) -> State:
    """Networks, fresh or from a base model, and optimisers, wrapped for the device and for several processes."""
    train = config.train
    with loop.own_random_numbers(train.seed, -1, 0):  # the same in every process
        generator = Sovits(config)
        discriminator = Discriminator(config.model.use_spectral_norm, train.disc_width)
        if train.clear_start:
            clear_start(generator)
        fresh = [] if base is None else _load_base(Path(base), generator, discriminator)
        if train.lora_rank:
            _adapt(generator, train.lora_rank, fresh)
    models = {"generator": acc.prepare(generator), "discriminator": acc.prepare(discriminator)}
    adam = lambda model: loop.adamw(model, train.learning_rate, train.betas, train.eps)
    state = State(models, {name: adam(model) for name, model in models.items()}, made_from=made_from or {})
    state.scaler, state.decay = acc.scaler, train.ema_decay
    state.begin_average()
    return state


def learning_rate(train: TrainConfig, epoch: int) -> float:
    """Rate during an epoch, counted from 1: a linear warm-up, then a little less in every epoch."""
    if epoch <= train.warmup_epochs:
        return train.learning_rate / train.warmup_epochs * epoch
    return train.learning_rate * train.lr_decay ** (epoch - max(1, train.warmup_epochs))


def train_step(state: State, batch: Batch, config: Config, acc) -> tuple[dict, dict, str | None]:
    """The critics learn to tell real from made, then the generator learns to sound real.

    Returns the losses, the gradients' norms, and why the step was left out, if it was.
    """
    train, data = config.train, config.data
    generator = state.models["generator"]
    critic = state.step >= train.disc_start
    frames = train.segment_size // data.hop_length
    parts, norms = {}, {}
    with acc.autocast():
        out = generator(batch.units, batch.f0, batch.uv, batch.spec, batch.speaker, batch.lengths, batch.volume)
    real = slice_frames(batch.wav, out.starts * data.hop_length, train.segment_size)
    if critic:
        parts["disc"], norms["discriminator"], finite = gan.critics_turn(state, real, out.audio, acc, train.grad_clip)
        if not finite:
            return loop.numbers(parts), norms, loop.not_finite(parts, "discriminator")

    mel = spec_to_mel(
        slice_frames(batch.spec, out.starts, frames).float(),
        data.sampling_rate, data.filter_length, data.n_mel_channels, data.mel_fmin, data.mel_fmax,
    )  # fmt: skip
    audio = out.audio.float().squeeze(1)
    parts["mel"] = (training_mel(audio, data) - mel).abs().mean() * train.c_mel
    parts["kl"] = losses.kl_loss(out.z_p, out.posterior.logs, out.prior.m, out.prior.logs, out.mask) * train.c_kl
    if out.pred_lf0 is not None:
        parts["lf0"] = losses.lf0_loss(out)
    if train.c_stft:
        parts["stft"] = losses.multi_resolution_loss(audio, real.squeeze(1)) * train.c_stft
    if train.c_level:
        parts["level"] = losses.loudness_loss(audio, real.squeeze(1), data.sampling_rate) * train.c_level
    if critic:
        gen, fm = gan.verdict(state, real, out.audio, acc)
        parts |= {"gen": gen * train.c_gen, "fm": fm * train.c_fm}
    parts["total"], norms["generator"], finite = gan.generators_turn(state, parts, acc, train.grad_clip)
    if train.no_hum:
        silence_hum(state.plain_models()["generator"].dec)
    return loop.numbers(parts), norms, None if finite else loop.not_finite(parts, "generator")


def _evaluate_and_save(state: State, config: Config, work: Path, step: Step, acc) -> Step:
    """Sing the validation clips, write model and state, remove old models."""
    if not acc.is_main_process:
        return step
    folder = work / LOGS
    with state.averaged() as model:
        audio, scores = evaluate(model, SovitsDataset(config, work, "val"), acc.device)
        saved = folder / f"G_{state.step}.safetensors"
        checkpoint.save_sovits(saved, _plain(model, config) if config.train.lora_rank else model, config)
        if config.train.lora_rank:
            save_lora(folder / f"L_{state.step}.safetensors", model, config)
    checkpoint.save_discriminator(folder / f"D_{state.step}.safetensors", state.plain_models()["discriminator"], config)
    state.save(folder / "state.pt")
    if config.train.keep_ckpts:
        checkpoint.clean(folder, config.train.keep_ckpts, by_time=True)  # the oldest, if begun anew
    return Step(**{**step.__dict__, "audio": audio, "scores": scores, "saved": saved})


def _plain(model: Sovits, config: Config) -> Sovits:
    """A model with its low-rank weights added in."""
    trained, frozen = lora.parts(model)
    with loop.own_random_numbers(config.train.seed, -1, 0):  # drawn and overwritten
        whole = Sovits(config)
    fit(whole, lora.combined(frozen, [trained], [1]))
    return whole


def evaluate(model: Sovits, data: SovitsDataset, device, most: int = 3) -> tuple[dict, dict]:
    """Sing up to `most` validation clips: their sound, and the mean mel distance to the true clips."""
    sounds, distances = {}, []
    for index, clip in enumerate(data.clips[:most]):
        batch = collate([data.item(index, random.Random(0))]).to(device)
        generator = torch.Generator().manual_seed(index)
        audio, _ = model.infer(batch.units, batch.f0, batch.uv, batch.speaker, volume=batch.volume, generator=generator)
        sounds[f"{clip.parent.name}/{clip.stem}"] = audio[0, 0].float().cpu().numpy()
        mels = [training_mel(x.float().squeeze(1), data.config.data) for x in (audio, batch.wav)]
        distances.append((mels[0] - mels[1]).abs().mean().item())
    return sounds, {"mel": float(np.mean(distances))} if distances else {}


def _load_base(base: Path, generator: Sovits, discriminator: Discriminator) -> list[str]:
    """Start from a trained model and, if its file lies beside, its critics; what the generator begins afresh."""
    critic = base.with_name(base.name.replace("G_", "D_", 1).replace("voice", "critic"))
    if critic != base and critic.exists():
        checkpoint.load_base(critic, discriminator)
    return checkpoint.load_base(base, generator)


def _adapt(generator: Sovits, rank: int, fresh: list[str]) -> None:
    """Low-rank weights for all that conversion needs."""
    lora.adapt(generator, rank, but=TRAINING_ONLY)
    if lacking := lora.parts(generator)[1].keys() & fresh:
        raise CheckpointError(
            f"The base has no {min(lacking)} of this shape; low-rank weights need one of the same settings and encoder."
        )


def _loader(data: SovitsDataset, batches: Batches, acc) -> DataLoader:
    workers = 0 if data.config.train.all_in_mem or acc.device.type == "cpu" else min(5, os.cpu_count() or 1)
    return DataLoader(
        data, batch_sampler=batches, collate_fn=collate, num_workers=workers, pin_memory=acc.device.type == "cuda"
    )


def _curve(loss: str) -> str:
    """A loss's name in TensorBoard, as the original has it."""
    return "loss/d/total" if loss == "disc" else f"loss/g/{loss}"
