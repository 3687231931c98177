"""Train diffusion: noise is added to mels, and the network learns to tell which.

With model.type RectifiedFlow in the settings it learns the straight way from noise to mels instead, by the same loop.

    for step in train_diffusion("work"):
        print(step.step, step.losses["noise"])

The work folder is the one that `prepare` makes; settings are in its configs/diffusion.yaml, models appear as the
original's model_….pt in the folder that its env.expdir names.

Notebook: 04_train_diffusion
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from svcnb import checkpoint
from svcnb.config import ConfigError, DiffusionConfig, DiffusionTrainConfig
from svcnb.dataset import Batches
from svcnb.diffuse import find_vocoder
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.vocoder import Vocoder
from svcnb.models.wavenet import clear_start
from svcnb.training import loop
from svcnb.training.board import reporter
from svcnb.training.diffusion_data import MelDataset, MelItem, stack
from svcnb.training.loop import Step
from svcnb.training.state import State, describe, stored_state

SEED = 1234  # of weights, clips and noise; the original's settings have none
DRAWS = 8  # of noise for each validation clip


class Loss(nn.Module):
    """The training loss as a forward pass, which is what several processes can share."""

    def __init__(self, model: Unit2Mel):
        super().__init__()
        self.model = model

    def forward(self, item: MelItem, generator: torch.Generator | None = None) -> torch.Tensor:
        told = item.units, item.f0, item.volume, item.mel, item.speaker, item.semitones
        return self.model.loss(*told, generator=generator)


def train_diffusion(
    work: str | Path,
    config: DiffusionConfig | None = None,
    vocoder: str | Path | None = None,
    base: str | Path | None = None,
    resume: bool = True,
    max_steps: int | None = None,
    precision: str = "auto",
    device: str = "auto",
    tensorboard: bool = False,
) -> Iterator[Step]:
    """Train a diffusion model on a prepared work folder; yields after each step.

    It goes on from the state in its folder if there is one and `resume` holds, else from the newest model_*.pt there
    (the original's own trainings, too), else from the `base` model, else from scratch. `config` defaults to the work
    folder's, `vocoder` (a folder or a file) to the one that it names; one given is named in the config.yaml beside the
    models. Ends after `max_steps` steps in all, or the
    config's epochs. Raises ResumeError, BusyError, DatasetError, ConfigError, CheckpointError, OSError.
    """
    work = Path(work)
    config = config or DiffusionConfig.load(work / "configs/diffusion.yaml")
    folder, train = work / config.env.expdir, config.train
    if precision == "auto" and train.amp_dtype != "fp32":
        precision = train.amp_dtype
    if device == "auto" and config.device == "cuda" and torch.cuda.is_available() and config.env.gpu_id:
        torch.cuda.set_device(config.env.gpu_id)
    acc = loop.accelerator(precision, "cpu" if config.device == "cpu" else device)
    voice = find_vocoder(config, vocoder)
    if vocoder:
        place = Path(vocoder).resolve()
        config = config.copy_with(vocoder={"ckpt": str(place / "model" if place.is_dir() else place)})
    data = MelDataset(config, work, voice.mel)
    with loop.alone_in(folder, acc):
        tree = config.model_dump(mode="json")
        settings = {key: tree[key] for key in ("train", "data", "model", "spk")}
        state = new_state(config, voice.n_mels, acc, describe(settings, data.fingerprint()))
        _refuse_sampler(state.first().model, config)
        _begin(state, folder, base, resume)
        batches = Batches(len(data), train.batch_size, SEED, state.step, acc.process_index, acc.num_processes)
        last = min(loop.ENDLESS if max_steps is None else max_steps, train.epochs * batches.per_epoch)

        def advance(batch: MelItem) -> Step:
            epoch, batch = state.step // batches.per_epoch + 1, batch.to(acc.device)
            rate = learning_rate(train, state.step + 1)
            return loop.make_step(state, lambda: train_step(state, batch, acc), rate, SEED, epoch, last, acc)

        validation = MelDataset(config, work, voice.mel, "val")
        keep = lambda step: _evaluate_and_save(state, config, folder, validation, voice, step, acc, state.step < last)
        report = reporter(
            folder,
            train.interval_log,
            tensorboard and acc.is_main_process,
            config.data.sampling_rate,
            "train/{}".format,
        )
        loader = _loader(data, batches, train, acc)
        yield from loop.run(state, loader, last, train.interval_val, advance, keep, report)


def new_state(config: DiffusionConfig, mels: int, acc, made_from: dict | None = None) -> State:
    """A fresh network and its optimiser, wrapped for the device and for several processes."""
    with loop.own_random_numbers(SEED, -1, 0):  # the same in every process
        network = Unit2Mel(config, mels)
        if config.train.clear_start:
            clear_start(network.decoder.denoise_fn)
        model = acc.prepare(Loss(network))
    optimizer = loop.adamw(model, config.train.lr, weight_decay=config.train.weight_decay)
    state = State({"diffusion": model}, {"diffusion": optimizer}, made_from=made_from or {})
    state.scaler, state.decay = acc.scaler, config.train.ema_decay
    state.begin_average()
    return state


def _refuse_sampler(model: Unit2Mel, config: DiffusionConfig) -> None:
    """Before the first step, rather than at the first validation."""
    try:
        whole = model.k_step_max == model.timesteps
        model.calls(None if whole else model.k_step_max, config.infer.method, config.infer.speedup)
    except ValueError as error:
        raise ConfigError(f"infer.method and infer.speedup do not go together with the model. {error}") from None


def learning_rate(train: DiffusionTrainConfig, step: int) -> float:
    """Rate of a step, counted from 1: times `gamma` after every `decay_step` steps, a step late as in the original."""
    rise = min(1, step / train.warmup_steps) if train.warmup_steps else 1
    return rise * train.lr * train.gamma ** max((step - 2) // train.decay_step, 0)


def train_step(state: State, batch: MelItem, acc) -> tuple[dict, dict, str | None]:
    """Returns the loss, the gradient's norm, and why the step was left out, if it was."""
    model, optimizer = state.models["diffusion"], state.optimizers["diffusion"]
    with acc.autocast():
        loss = model(batch)
    model.zero_grad(set_to_none=True)
    acc.backward(loss)
    norm, finite = loop.update(model, optimizer, state.scaler, largest=0)
    if state.scaler is not None:
        state.scaler.update()
    parts = {"noise": loss}
    return loop.numbers(parts), {"diffusion": norm}, None if finite else loop.not_finite(parts, "network")


@torch.inference_mode()
def evaluate(
    model: Unit2Mel, config: DiffusionConfig, data: MelDataset, voice: Vocoder, device, most: int = 3
) -> tuple[dict, dict]:
    """Sing up to `most` validation clips: their sound, and the means of the loss and of the distance to the true mel.

    Noise and steps are the same at every evaluation, so that losses can be compared.
    """
    sounds, losses, distances, voice = {}, [], [], voice.to(device)
    for index, clip in enumerate(data.clips[:most]):
        item = stack([data[index, ""]]).to(device)
        for draw in range(DRAWS):
            losses.append(Loss(model)(item, torch.Generator().manual_seed(draw)).item())
        shallow = {} if model.k_step_max == model.timesteps else {"source_mel": item.mel}
        mel = model(
            item.units, item.f0, item.volume, item.speaker, sampler=config.infer.method, speedup=config.infer.speedup,
            generator=torch.Generator().manual_seed(index), **shallow,
        )  # fmt: skip
        sound = voice(mel, item.f0, torch.Generator().manual_seed(index))
        sounds[f"{clip.parent.name}/{clip.stem}"] = sound[0, 0].float().cpu().numpy()
        distances.append((mel - item.mel).abs().mean().item())
    return sounds, {"noise": float(np.mean(losses)), "mel": float(np.mean(distances))} if distances else {}


def _evaluate_and_save(state, config, folder: Path, data: MelDataset, voice: Vocoder, step: Step, acc, more) -> Step:
    """Sing the validation clips, write model and state, remove the model before, unless it is one to stay."""
    if not acc.is_main_process:
        return step
    if more and not stored_state(folder / "state.pt"):  # killed with a model and no state, it would go on from that
        state.save(folder / "state.pt")
    saved, train = folder / f"model_{state.step}.pt", config.train
    with state.averaged() as trained:
        audio, scores = evaluate(trained.model, config, data, voice, acc.device)
        optimizer = state.optimizers["diffusion"] if train.save_opt else None
        checkpoint.save_original_diffusion(saved, trained.model, state.step, optimizer)
    config.save(folder / "config.yaml")
    before = state.step - train.interval_val
    if state.step % train.interval_val == 0 and before > 0 and before % train.interval_force_save:
        (folder / f"model_{before}.pt").unlink(missing_ok=True)
    state.save(folder / "state.pt")
    return Step(**{**step.__dict__, "audio": audio, "scores": scores, "saved": saved})


def _begin(state: State, folder: Path, base: str | Path | None, resume: bool) -> None:
    """Load what there is to start from."""
    newest = checkpoint.latest(folder, "model_")
    if resume and stored_state(folder / "state.pt"):
        return state.load(folder / "state.pt")
    if resume and newest:
        state.step = state.resumed_from = _load_original(state, newest)
    elif base:
        checkpoint.load_base(base, state.first().model)
    state.begin_average()


def _load_original(state: State, path: Path) -> int:
    """Go on from a model_….pt, with its optimiser if that was saved too: the steps it had made."""
    checkpoint.load_base(path, state.first().model)
    stored = checkpoint.read_torch(path)
    if "optimizer" in stored:
        state.optimizers["diffusion"].load_state_dict(stored["optimizer"])
    return int(stored.get("global_step", 0))


def _loader(data: MelDataset, batches: Batches, train: DiffusionTrainConfig, acc) -> DataLoader:
    workers = 0 if train.cache_all_data or acc.device.type == "cpu" else train.num_workers
    on_cpu = train.cache_device == "cpu" and acc.device.type == "cuda"
    return DataLoader(data, batch_sampler=batches, collate_fn=stack, num_workers=workers, pin_memory=on_cpu)
