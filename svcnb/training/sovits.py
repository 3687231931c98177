"""Train So-VITS: a generator and its critics take turns (Goodfellow et al. 2014), step by step in a `for` loop.

    for step in train_sovits("work"):
        print(step.step, step.losses["mel"])

Breaking out of the loop, or interrupting it, saves; calling it again goes on from there.

Notebook: 03_train_sovits
"""

import contextlib
import logging
import os
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from svcnb import checkpoint
from svcnb.config import Config, TrainConfig
from svcnb.dataset import Batch, Batches, SovitsDataset, collate
from svcnb.models.discriminators import Discriminator
from svcnb.models.sovits import Sovits, clear_start, slice_frames
from svcnb.spectral import spec_to_mel, training_mel
from svcnb.training import loop, losses
from svcnb.training.loop import Step
from svcnb.training.state import State, describe, stored_state

log = logging.getLogger(__name__)

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
    Raises ResumeError, DatasetError, ConfigError, CheckpointError, OSError.
    """
    work = Path(work)
    folder, config = work / LOGS, config or Config.load(work / "configs/config.json")
    if precision == "auto" and config.train.fp16_run:
        precision = "bf16" if config.train.half_type == "bf16" else "fp16"
    acc = loop.accelerator(precision, device)
    data = SovitsDataset(config, work)
    state = new_state(config, acc, describe(config, data.fingerprint()))
    resumed = _begin(state, folder, base, resume)
    batches = Batches(
        len(data), config.train.batch_size, config.train.seed, state.step, acc.process_index, acc.num_processes
    )
    last = min(max_steps or 10**12, config.train.epochs * batches.per_epoch)
    saved = state.step
    writer = _tensorboard(folder, tensorboard and acc.is_main_process, config.data.sampling_rate)
    if acc.is_main_process:
        config.save(folder / "config.json")
    torch.set_flush_denormal(True)  # numbers near zero are slow on a CPU and of no use
    try:
        for batch in islice(_loader(data, batches, acc), max(0, last - state.step)):
            with loop.finish_before_stopping():
                step = _advance(state, batch.to(acc.device), config, acc, batches.per_epoch, last, resumed)
                resumed = None
                if state.step % config.train.eval_interval == 0 or state.step == last:
                    step = _evaluate_and_save(state, config, work, step, acc)
                    saved = state.step
            writer(step)
            yield step
    except (KeyboardInterrupt, GeneratorExit):
        if state.step > saved and acc.is_main_process:
            state.save(folder / "state.pt")
            log.info("stopped and saved after step %d", state.step)
        raise


def new_state(config: Config, acc, made_from: dict | None = None) -> State:
    """Fresh networks and optimisers, wrapped for the device and for several processes."""
    train = config.train
    with loop.own_random_numbers(train.seed, -1, 0):  # the same in every process
        generator = Sovits(config)
        discriminator = Discriminator(config.model.use_spectral_norm, train.disc_width)
    if train.clear_start:
        clear_start(generator)
    models = {"generator": acc.prepare(generator), "discriminator": acc.prepare(discriminator)}
    adam = lambda model: torch.optim.AdamW(model.parameters(), train.learning_rate, train.betas, train.eps)
    state = State(models, {name: adam(model) for name, model in models.items()}, made_from=made_from or {})
    state.scaler = acc.scaler
    if train.ema_decay:
        state.average = {key: value.clone() for key, value in generator.state_dict().items()}
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
        parts["disc"] = _critics_turn(state, real, out.audio.detach(), acc)
        norms["discriminator"], finite = _update(state, "discriminator", train.grad_clip)
        if not finite:
            return _numbers(parts), norms, _name_not_finite(parts, "discriminator")

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
    if critic:
        with _frozen(state.plain_models()["discriminator"]) as frozen, acc.autocast():
            verdicts = frozen(real, out.audio)
        parts["gen"] = losses.generator_loss(verdicts[1]) * train.c_gen
        parts["fm"] = losses.feature_loss(*verdicts) * train.c_fm
    total = sum(value for name, value in parts.items() if name != "disc")
    generator.zero_grad(set_to_none=True)
    acc.backward(total)
    norms["generator"], finite = _update(state, "generator", train.grad_clip)
    if state.scaler is not None:
        state.scaler.update()
    parts["total"] = total
    return _numbers(parts), norms, None if finite else _name_not_finite(parts, "generator")


def _critics_turn(state: State, real, fake, acc) -> torch.Tensor:
    discriminator = state.models["discriminator"]
    with acc.autocast():
        verdicts = discriminator(real, fake)
    loss = losses.discriminator_loss(*verdicts)
    discriminator.zero_grad(set_to_none=True)
    acc.backward(loss)
    return loss


def _update(state: State, name: str, largest: float) -> tuple[float, bool]:
    return loop.update(state.models[name], state.optimizers[name], state.scaler, largest)


@contextlib.contextmanager
def _frozen(model):
    """Gradients pass through the model, but not into it."""
    model.requires_grad_(False)
    yield model
    model.requires_grad_(True)


def _numbers(parts: dict) -> dict[str, float]:
    return {name: value.item() for name, value in parts.items()}


def _name_not_finite(parts: dict, network: str) -> str:
    bad = [name for name, value in parts.items() if not value.isfinite() and name != "total"]
    return f"the loss {bad[0]} is not finite" if bad else f"the {network}'s gradient is not finite"


def _advance(state, batch, config, acc, per_epoch, last, resumed) -> Step:
    """One training step, its learning rate and the moving average."""
    began, train = time.perf_counter(), config.train
    epoch = state.step // per_epoch + 1
    rate = learning_rate(train, epoch)
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = rate
    for model in state.models.values():
        model.train()
    with loop.own_random_numbers(train.seed, state.step, acc.process_index):
        parts, norms, skipped = train_step(state, batch, config, acc)
    state.step += 1
    if skipped:
        state.skipped += 1
        log.warning("step %d changed nothing: %s (%d such steps so far)", state.step, skipped, state.skipped)
    elif state.average is not None:
        _follow(state, state.plain_models()["generator"], train.ema_decay)
    if state.step % train.log_interval == 0:
        log.info("epoch %d step %d %s", epoch, state.step, {k: round(v, 3) for k, v in parts.items()})
    seconds = time.perf_counter() - began
    eta = seconds * (last - state.step) if last < 10**12 else None
    return Step(state.step, epoch, parts, norms, rate, seconds, eta, skipped, resumed_from=resumed)


def _follow(state: State, model: Sovits, decay: float) -> None:
    """Move the average towards the weights: slowly, except at the very beginning."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    weights = model.state_dict()
    with torch.no_grad():
        for key, average in state.average.items():
            average.lerp_(weights[key], 1 - decay) if average.is_floating_point() else average.copy_(weights[key])


@contextlib.contextmanager
def averaged(state: State, model: Sovits) -> Iterator[Sovits]:
    """The generator in eval mode, with its averaged weights if there are any; afterwards as it was."""
    own = None
    if state.average is not None:
        own = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(state.average)
    model.eval()
    yield model
    if own is not None:
        model.load_state_dict(own)
    model.train()


def _evaluate_and_save(state: State, config: Config, work: Path, step: Step, acc) -> Step:
    """Sing the validation clips, write model and state, remove old models."""
    if not acc.is_main_process:
        return step
    folder = work / LOGS
    model = state.plain_models()["generator"]
    with averaged(state, model):
        audio, scores = evaluate(model, SovitsDataset(config, work, "val"), acc.device)
        saved = folder / f"G_{state.step}.safetensors"
        checkpoint.save_sovits(saved, model, config)
    checkpoint.save_discriminator(folder / f"D_{state.step}.safetensors", state.plain_models()["discriminator"], config)
    state.save(folder / "state.pt")
    if config.train.keep_ckpts:
        checkpoint.clean(folder, config.train.keep_ckpts)
    return Step(**{**step.__dict__, "audio": audio, "scores": scores, "saved": saved})


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


def _begin(state: State, folder: Path, base, resume: bool) -> int | None:
    """Load what there is to start from; returns the step of a resumed training."""
    path, plain = folder / "state.pt", state.plain_models()
    if resume and stored_state(path):
        state.load(path)
        log.info("going on from step %d", state.step)
        return state.step
    base = base or checkpoint.latest(folder, "G_0")
    if base:
        _load_base(state, Path(base), plain)
    return None


def _load_base(state: State, base: Path, plain: dict) -> None:
    """Start from a trained model and, if its file lies beside, its critics."""
    checkpoint.load_base(base, plain["generator"])
    critic = base.with_name(base.name.replace("G_", "D_", 1).replace("voice", "critic"))
    if critic != base and critic.exists():
        checkpoint.load_base(critic, plain["discriminator"])
    if state.average is not None:
        state.average = {key: value.clone() for key, value in plain["generator"].state_dict().items()}


def _loader(data: SovitsDataset, batches: Batches, acc) -> DataLoader:
    workers = 0 if data.config.train.all_in_mem or acc.device.type == "cpu" else min(5, os.cpu_count() or 1)
    return DataLoader(
        data, batch_sampler=batches, collate_fn=collate, num_workers=workers, pin_memory=acc.device.type == "cuda"
    )


def _tensorboard(folder: Path, wanted: bool, rate: int):
    """A function that writes a step to TensorBoard under the original's names, or one that does nothing."""
    if not wanted:
        return lambda step: None
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def write(step: Step) -> None:
        for name, value in step.losses.items():
            writer.add_scalar("loss/d/total" if name == "disc" else f"loss/g/{name}", value, step.step)
        for name, value in step.grad_norms.items():
            writer.add_scalar(f"grad_norm_{name[0]}", value, step.step)
        writer.add_scalar("learning_rate", step.learning_rate, step.step)
        for name, sound in step.audio.items():
            writer.add_audio(f"gen/{name}", sound[None], step.step, rate)
        if step.saved:
            writer.flush()

    return write
