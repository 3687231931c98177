"""Train a mel vocoder: it hears the mels and the pitch of clips and sings them again, and critics listen.

    for step in train_vocoder("work", base="pretrain/nsf_hifigan"):
        print(step.step, step.losses["mel"])

The work folder is the one that `prepare` makes. From a vocoder of many voices, a few minutes fit it to one singer; that
is what most people want it for.

Notebook: 04_train_diffusion
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from svcnb import checkpoint
from svcnb.config import Config, ConfigError, Section, VocoderConfig
from svcnb.dataset import Batch, Batches, DatasetError, SovitsDataset, collate
from svcnb.models.discriminators import Discriminator
from svcnb.models.nsf_hifigan import clear_start
from svcnb.models.vocoder import Vocoder
from svcnb.spectral import vocoder_mel
from svcnb.training import gan, loop, losses
from svcnb.training.board import reporter
from svcnb.training.loop import Step
from svcnb.training.state import State, describe, stored_state

LOGS = "logs/44k/vocoder"  # inside the work folder
PEAK = 0.95  # of the loudest clip after a random gain
QUIETEST = 0.5  # smallest random gain; from 0.1 on, a small network learns no level well
LOUD = 0.5  # rms at which spectra are compared, so that loud and soft clips count alike


class VocoderTraining(Section):
    """How a vocoder is trained; the names are those of So-VITS' settings, the defaults those of HiFi-GAN."""

    log_interval: int = 100  # steps between log lines
    eval_interval: int = 1000  # steps between evaluations; each also saves
    seed: int = 1234
    epochs: int = 10000
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.8, 0.99)
    eps: float = 1e-8
    lr_decay: float = 0.999  # learning rate factor per epoch
    batch_size: int = 8  # per process
    segment_size: int = 8192  # samples of a clip in a step
    c_mel: float = 45  # weight of the mel loss
    c_stft: float = 10.0  # weight of the multi-resolution spectral loss
    c_level: float = 20.0  # weight of the loudness loss
    c_gen: float = 1.0  # weight of the adversarial loss
    c_fm: float = 1.0  # weight of the feature matching loss
    disc_start: int = 0  # first step with critics
    disc_width: float = 1.0  # width of the critics' layers
    grad_clip: float = 0.0  # largest gradient norm; 0 does not clip
    ema_decay: float = 0.0  # averaged vocoder to use; 0 keeps none
    clear_start: bool = False  # without a base: start with a loud sine source, for short trainings
    keep_ckpts: int = 3


def train_vocoder(
    work: str | Path,
    base: str | Path | None = None,
    config: VocoderConfig | None = None,
    train: VocoderTraining | None = None,
    resume: bool = True,
    max_steps: int | None = None,
    precision: str = "auto",
    device: str = "auto",
    tensorboard: bool = False,
) -> Iterator[Step]:
    """Train a vocoder on the clips of a prepared work folder; yields after each step.

    It goes on from the state in the work folder if there is one and `resume` holds, else from `base` (a community
    folder, or a .safetensors with its critics D_* beside a G_*), else from scratch as `config` says. Ends after
    `max_steps` steps in all, or the epochs of `train`. Raises ResumeError, BusyError, DatasetError, ConfigError,
    CheckpointError, OSError.
    """
    work, train = Path(work), train or VocoderTraining()
    folder, acc = work / LOGS, loop.accelerator(precision, device)
    with loop.alone_in(folder, acc):
        going_on = resume and stored_state(folder / "state.pt")
        config = config or _config(folder, base, going_on)
        data = _clips(work, config, train)
        settings = {"train": train.model_dump(mode="json"), "vocoder": config.tree(), "spk": data.config.spk}
        state = new_state(config, train, acc, describe(settings, data.fingerprint()))
        if going_on:
            state.load(folder / "state.pt")
        elif base:
            _load_base(state, Path(base))
        if acc.is_main_process:
            config.save(folder / "config.json")
        batches = Batches(len(data), train.batch_size, train.seed, state.step, acc.process_index, acc.num_processes)
        last = min(loop.ENDLESS if max_steps is None else max_steps, train.epochs * batches.per_epoch)

        def advance(batch: Batch) -> Step:
            epoch, batch = state.step // batches.per_epoch, batch.to(acc.device)
            rate, step = train.learning_rate * train.lr_decay**epoch, lambda: train_step(state, batch, train, acc)
            return loop.make_step(state, step, rate, train.seed, epoch + 1, last, acc)

        keep = lambda step: _evaluate_and_save(state, train, work, step, acc)
        report = reporter(
            folder, train.log_interval, tensorboard and acc.is_main_process, config.sampling_rate, "loss/{}".format
        )
        loader = DataLoader(data, batch_sampler=batches, collate_fn=collate)
        yield from loop.run(state, loader, last, train.eval_interval, advance, keep, report)


def new_state(config: VocoderConfig, train: VocoderTraining, acc, made_from: dict | None = None) -> State:
    """Fresh networks and optimisers, wrapped for the device and for several processes."""
    with loop.own_random_numbers(train.seed, -1, 0):  # the same in every process
        generator = checkpoint.new_vocoder(config)
        discriminator = Discriminator(width=train.disc_width)
    if train.clear_start:
        clear_start(generator)
    models = {"generator": acc.prepare(generator), "discriminator": acc.prepare(discriminator)}
    adam = lambda model: loop.adamw(model, train.learning_rate, train.betas, train.eps)
    state = State(models, {name: adam(model) for name, model in models.items()}, made_from=made_from or {})
    state.scaler, state.decay = acc.scaler, train.ema_decay
    state.begin_average()
    return state


def train_step(state: State, batch: Batch, train: VocoderTraining, acc) -> tuple[dict, dict, str | None]:
    """The critics learn to tell real from made, then the vocoder learns to sound real.

    Returns the losses, the gradients' norms, and why the step was left out, if it was.
    """
    config, parts, norms = state.first().config, {}, {}
    mel, f0, real = heard(batch, state.first(), train)
    with acc.autocast():
        fake = state.models["generator"](mel, f0).float()
    critic = state.step >= train.disc_start
    if critic:
        parts["disc"], norms["discriminator"], finite = gan.critics_turn(state, real, fake, acc, train.grad_clip)
        if not finite:
            return loop.numbers(parts), norms, loop.not_finite(parts, "discriminator")
    made, true = fake.squeeze(1), real.squeeze(1)
    parts["mel"] = (whole_mel(made, config) - whole_mel(true, config)).abs().mean() * train.c_mel
    level = true.square().mean(1, keepdim=True).sqrt().clamp(min=0.01) / LOUD
    parts["stft"] = losses.multi_resolution_loss(made / level, true / level) * train.c_stft
    parts["level"] = losses.loudness_loss(made / level, true / level, config.sampling_rate) * train.c_level
    if critic:
        gen, fm = gan.verdict(state, real, fake, acc)
        parts |= {"gen": gen * train.c_gen, "fm": fm * train.c_fm}
    parts["total"], norms["generator"], finite = gan.generators_turn(state, parts, acc, train.grad_clip)
    return loop.numbers(parts), norms, None if finite else loop.not_finite(parts, "generator")


def heard(batch: Batch, model: Vocoder, train: VocoderTraining) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the vocoder is given, mel (B, T, M) and f0 (B, T), and what it should make of it, (B, 1, T * hop).

    The level is random. The pitch goes on where there is no voice, as it does in conversion.
    """
    hop, margin = model.hop, _margin(model.config)
    frames = train.segment_size // hop + 2 * margin  # the mel of a stretch is that of the whole clip but for its ends
    wav = batch.wav[:, 0, : frames * hop]
    size, loudest = (len(wav), 1), wav.abs().amax(1, keepdim=True).clamp(min=1e-3)
    wav = wav * QUIETEST * (PEAK / loudest / QUIETEST).clamp(min=1) ** torch.rand(size).to(wav)
    f0 = batch.f0[:, :frames]
    inside = slice(margin, frames - margin)
    mel = model.mel(wav, model.sampling_rate)[:, inside]
    return mel, f0[:, inside], wav[:, None, inside.start * hop : inside.stop * hop]


def whole_mel(wav: torch.Tensor, config: VocoderConfig) -> torch.Tensor:
    """The vocoder's mel, but over all frequencies: it is judged also by what it is not told. (B, N) to (B, M, T)."""
    return vocoder_mel(
        wav, config.sampling_rate, config.n_fft, config.hop_size, config.win_size, config.num_mels, 0.0, None
    )


@torch.inference_mode()
def evaluate(model: Vocoder, data: SovitsDataset, device, most: int = 3) -> tuple[dict, dict]:
    """Sing up to `most` clips again: their sound, and the mean mel distance to the true clips."""
    sounds, distances = {}, []
    for index, clip in enumerate(data.clips[:most]):
        batch = collate([data.item(index, random.Random(0))]).to(device)
        wav = batch.wav[:, 0]
        mel = model.mel(wav, model.sampling_rate)
        audio = model(mel, batch.f0 * batch.uv, torch.Generator().manual_seed(index))
        sounds[f"{clip.parent.name}/{clip.stem}"] = audio[0, 0].float().cpu().numpy()
        distances.append((model.mel(audio[:, 0].float(), model.sampling_rate) - mel).abs().mean().item())
    return sounds, {"mel": float(np.mean(distances))} if distances else {}


def _evaluate_and_save(state: State, train: VocoderTraining, work: Path, step: Step, acc) -> Step:
    """Sing the validation clips, write vocoder, critics and state, remove old ones."""
    if not acc.is_main_process:
        return step
    folder = work / LOGS
    saved = folder / f"G_{state.step}.safetensors"
    with state.averaged() as model:
        audio, scores = evaluate(model, _clips(work, model.config, train, "val"), acc.device)
        checkpoint.save_vocoder(saved, model)
    critics = state.plain_models()["discriminator"]
    checkpoint.save_discriminator(folder / f"D_{state.step}.safetensors", critics, model.config)
    state.save(folder / "state.pt")
    checkpoint.clean(folder, train.keep_ckpts, by_time=True)
    return Step(**{**step.__dict__, "audio": audio, "scores": scores, "saved": saved})


def _config(folder: Path, base: str | Path | None, going_on: bool) -> VocoderConfig:
    if going_on:
        return VocoderConfig.load(folder / "config.json")
    if base is None:
        raise ConfigError("Name a vocoder to start from, or give the config of a new one.")
    return checkpoint.load_vocoder(base).config


def _load_base(state: State, base: Path) -> None:
    """Start from a trained vocoder and, if their file lies beside, its critics."""
    plain = state.plain_models()
    trained = checkpoint.load_vocoder(base).state_dict()
    if "conv_pre.weight" in trained:
        raise ConfigError(
            f"The weight norm of {base} is folded, for conversion only; start from the file as published."
        )
    plain["generator"].load_state_dict(trained)
    critics = base.with_name(base.name.replace("G_", "D_", 1))
    if critics != base and critics.exists():
        checkpoint.load_base(critics, plain["discriminator"])
    state.begin_average()


def _clips(work: Path, config: VocoderConfig, train: VocoderTraining, split: str = "train") -> SovitsDataset:
    """The clips, in stretches that are as long as a step needs. Raises DatasetError where they are of other frames."""
    prepared = Config.load(work / "configs/config.json")
    frames = train.segment_size // config.hop_size + 2 * _margin(config)
    theirs, ours = (prepared.data.sampling_rate, prepared.data.hop_length), (config.sampling_rate, config.hop_size)
    if theirs != ours:
        raise DatasetError(
            f"The clips have {theirs[0]} Hz and frames of {theirs[1]} samples, the vocoder {ours[0]} Hz and {ours[1]}: "
            "prepare them for this vocoder, or take another."
        )
    stretches = dict(crop_frames=frames, segment_size=frames * config.hop_size, all_in_mem=True)
    return SovitsDataset(prepared.copy_with(train=stretches | {"vol_aug": False, "pitch_aug": 0.0}), work, split)


def _margin(config: VocoderConfig) -> int:
    """Frames at either end of a stretch whose mel is not that of the whole clip."""
    return math.ceil(config.win_size / 2 / config.hop_size)
