"""Model files: our own safetensors, which carry their config, and the original's .pth, in and out.

An own file holds each learnt tensor once, under its last name, and the config as JSON in its metadata, so that the file
alone rebuilds the model. An original file is a pickled dictionary of `model`, `iteration`, `optimizer` and
`learning_rate`, with a config.json beside it.

Notebook: 06_mixing_export
"""

import json
import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from svcnb.config import Config, DiffusionConfig, Tree, VocoderConfig
from svcnb.files import whole_file, write_whole
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.norms import fold_weight_norm
from svcnb.models.sovits import Sovits
from svcnb.models.vocoder import Vocoder
from svcnb.retrieval.files import load_clusters, load_index, save_clusters, save_index
from svcnb.spectral import resample, vocoder_mel
from svcnb.unpickle import CheckpointError, Inert, read_torch
from svcnb.weights import Misfit, fit, is_constant, settings_behind, shared_names

__all__ = [
    "CheckpointError", "Inert", "clean", "compress", "latest", "load_base", "load_clusters",
    "load_diffusion", "load_index", "load_sovits", "load_vocoder", "new_vocoder", "read_own", "read_torch",
    "read_weights", "save_clusters", "save_diffusion", "save_discriminator", "save_index", "save_original",
    "save_original_diffusion", "save_original_vocoder", "save_sovits", "save_vocoder",
]  # fmt: skip
log = logging.getLogger(__name__)

FORMAT = 1  # of our own files; a change that older versions would misread raises it
_KINDS = {  # of model, by config: name in own files, in words, and the config's name beside an original file
    Config: ("sovits", "voice model", "config.json"),
    DiffusionConfig: ("diffusion", "diffusion model", "config.yaml"),
    VocoderConfig: ("vocoder", "vocoder", "config.json"),
}
_TRAINING_ONLY = "enc_q."  # the posterior encoder, which conversion does without
_OF_THE_DATA = (  # what a base model may have otherwise
    "emb_g.", "emb_vol.", "pre.", "f0_decoder.", _TRAINING_ONLY, "spk_embed.", "unit_embed.", "aug_shift_embed.",
)  # fmt: skip


def load_sovits(path: str | Path, config: Config | str | Path | None = None, forgiving=False) -> tuple[Sovits, Config]:
    """A model ready for conversion, in float32 on the CPU, and its config.

    path: own .safetensors, or the original's .pth with a config (default: the config.json beside it). The posterior
    encoder may be missing, as it is in files for release. forgiving: load what fits whatever else does not, as the
    original does, and log the rest as a warning. Raises CheckpointError naming the first part that does not fit and the
    settings behind it, ConfigError, FileNotFoundError.
    """
    path = Path(path)
    stored, metadata = _read(path)
    config = _config(path, metadata, config)
    model = _build(path, lambda: Sovits(config))
    misfit = fit(model, stored)
    if not forgiving:
        _refuse(path, misfit, may_lack=(_TRAINING_ONLY,), may_spare=(_TRAINING_ONLY, "f0_decoder."))
        _refuse_broken(path, model)
    _warn(path, misfit.kept if forgiving else {}, misfit.unused)
    return model, config


def load_base(path: str | Path, model: nn.Module) -> list[str]:
    """Start a model (or discriminator) from a trained one of either format, perhaps of other speakers.

    The embeddings of speakers, loudness and shift, the first layer (another encoder's units), the pitch decoder and the
    posterior encoder keep their values where the file has none that fit; their keys are returned. Raises
    CheckpointError when anything else does not fit.
    """
    path = Path(path)
    misfit = fit(model, _read(path)[0])
    _refuse(path, misfit, may_lack=_OF_THE_DATA, may_spare=("",))
    log.info("%s: %d parts start anew: %s", path, len(misfit.kept), ", ".join(misfit.kept))
    return list(misfit.kept)


def load_diffusion(
    path: str | Path, config: DiffusionConfig | str | Path | None = None
) -> tuple[Unit2Mel, DiffusionConfig]:
    """A diffusion model ready for conversion, in float32 on the CPU, and its config.

    path: own .safetensors, or the original's model_….pt with a diffusion.yaml (default: the config.yaml beside it); how
    many mel bands it makes is read off its weights. Raises as `load_sovits` does.
    """
    path = Path(path)
    stored, metadata = _read(path)
    config = _config(path, metadata, config, DiffusionConfig)
    first = stored.get("decoder.denoise_fn.input_projection.weight")
    if first is None or first.dim() != 3:
        raise CheckpointError(f"{path} is no diffusion model: it has no denoiser.")
    model = _build(path, lambda: Unit2Mel(config, mels=first.shape[1]))
    _refuse(path, fit(model, stored), may_lack=(), may_spare=())
    _refuse_broken(path, model)
    return model, config


def load_vocoder(path: str | Path, log10: bool = False) -> Vocoder:
    """A mel vocoder in eval mode, in float32 on the CPU; `vocoder.config` says how it is built.

    path: the community's folder of `model` and config.json, that `model` itself, or own .safetensors. Weight norm stays
    as the file has it, apart or folded. log10: the network wants mels in decimal logarithm (the vocoder type
    nsf-hifigan-log10). Raises CheckpointError, ConfigError, FileNotFoundError.
    """
    path = Path(path)
    path = path / "model" if path.is_dir() else path
    own = path.suffix == ".safetensors"
    config = None if own else VocoderConfig.load(path.with_name("config.json"))
    stored, metadata = _read(path, part="generator")
    config = _config(path, metadata, config, VocoderConfig)
    model = _build(path, lambda: new_vocoder(config, log10))
    if "conv_pre.weight" in stored:
        fold_weight_norm(model)
    _refuse(path, fit(model, stored), may_lack=(), may_spare=())
    _refuse_broken(path, model)
    return model


def new_vocoder(config: VocoderConfig, log10: bool = False) -> Vocoder:
    """An untrained vocoder. Raises ValueError for sizes that contradict each other."""
    return Vocoder(config, partial(_mel, config), log10)


def _mel(config: VocoderConfig, audio: torch.Tensor, sample_rate: int, semitones: float) -> torch.Tensor:
    """What a vocoder hears in sound (B, N) of any rate: (B, M, T)."""
    audio = resample(audio, sample_rate, config.sampling_rate)
    return vocoder_mel(
        audio, config.sampling_rate, config.n_fft, config.hop_size, config.win_size, config.num_mels, config.fmin,
        config.fmax, semitones,
    )  # fmt: skip


def save_sovits(path: str | Path, model: Sovits, config: Config, half: bool = False) -> None:
    """Write our own file, whole or not at all. half: as float16, half the size. Raises OSError, CheckpointError."""
    _save(path, "sovits", model, config, torch.float16 if half else torch.float32)


def save_diffusion(path: str | Path, model: Unit2Mel, config: DiffusionConfig, half: bool = False) -> None:
    """Write our own file of a diffusion model, whole or not at all. half: as float16, half the size. Raises OSError."""
    _save(path, "diffusion", model, config, torch.float16 if half else torch.float32)


def save_original_diffusion(path: str | Path, model: Unit2Mel, global_step: int = 0, optimizer=None) -> None:
    """Write a diffusion model as the original's model_….pt; its config.yaml is written apart. Raises OSError.

    optimizer: an AdamW over `model.parameters()`, to go on training from there.
    """
    content = {"global_step": global_step, "model": {k: v.detach().cpu() for k, v in model.state_dict().items()}}
    if optimizer is not None:
        content["optimizer"] = optimizer.state_dict()
    with whole_file(path) as part:
        torch.save(content, part)


def save_vocoder(path: str | Path, model: Vocoder, half: bool = False) -> None:
    """Write our own file of a vocoder, whole or not at all. half: as float16, half the size. Raises OSError."""
    _save(path, "vocoder", model, model.config, torch.float16 if half else torch.float32)


def save_original_vocoder(folder: str | Path, model: Vocoder) -> None:
    """Write a vocoder as the community's folder of `model` and config.json. Raises OSError."""
    model.config.save(Path(folder) / "config.json")
    with whole_file(Path(folder) / "model") as part:
        torch.save({"generator": {key: tensor.detach().cpu() for key, tensor in model.state_dict().items()}}, part)


def save_discriminator(path: str | Path, model: nn.Module, config: Tree, half: bool = False) -> None:
    """Write the critics that were trained with a model, for going on from there. Raises OSError."""
    _save(path, "discriminator", model, config, torch.float16 if half else torch.float32)


def save_original(path: str | Path, model: nn.Module, config: Config, optimizer=None, iteration: int = 0) -> None:
    """Write a model or discriminator as the original's .pth, which its own tools open; config.json is written apart.

    A model with a sawtooth, as the lesson preset's, only svcnb opens. optimizer: an AdamW over `model.parameters()`;
    without it training begins with fresh moments. iteration: epochs trained. Raises OSError, CheckpointError.
    """
    _refuse_folded(model)
    train = config.train
    if optimizer is None:
        optimizer = torch.optim.AdamW(model.parameters(), train.learning_rate, train.betas, train.eps)
    state = {key: tensor.detach().cpu() for key, tensor in model.state_dict().items()}
    _save_pth(path, state, optimizer.state_dict(), iteration, train.learning_rate)


def compress(source: str | Path, target: str | Path, half: bool = False) -> None:
    """Copy a model without what only training needs, in the format it has; half: as float16.

    Raises CheckpointError, OSError.
    """
    source, target = Path(source), Path(target)
    if source.suffix != target.suffix:
        raise CheckpointError(f"{target} should end in {source.suffix or 'nothing'}, as {source} does.")
    stored, metadata = _read(source)
    state = {key: tensor for key, tensor in stored.items() if not key.startswith(_TRAINING_ONLY)}
    if half:
        place = lambda tensor: (tensor.data_ptr(), tensor.shape)  # the same for tensors that several names share
        once = {place(tensor): tensor.half() for tensor in state.values() if tensor.is_floating_point()}
        state = {key: once.get(place(tensor), tensor) for key, tensor in state.items()}
    if source.suffix == ".safetensors":
        write_whole(target, save(state, metadata))
    else:
        _save_pth(target, state, _without_moments(metadata.get("optimizer")), 0, 0.0001)


def latest(folder: str | Path, prefix: str = "G_") -> Path | None:
    """The file of the most steps among G_800.pth, G_1600.safetensors, … (or model_…); None where there is none."""
    return max(_numbered(Path(folder), prefix), key=_step, default=None)


def clean(folder: str | Path, keep: int, by_time: bool = False) -> None:
    """Remove all but the newest `keep` of G_*, of the critics D_* and of L_*; base models (step 0) always stay.

    Newest by steps, or by_time as the original does it. keep 0 removes none.
    """
    for prefix in ("G_", "D_", "L_"):
        files = [path for path in _numbered(Path(folder), prefix) if _step(path) > 0]
        files.sort(key=lambda path: path.stat().st_mtime if by_time else _step(path))
        for path in files[: max(0, len(files) - keep)] if keep else ():
            path.unlink()


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a model file of either format, as they are stored. Raises CheckpointError."""
    return _read(Path(path))[0]


def _numbered(folder: Path, prefix: str) -> list[Path]:
    return [path for path in folder.glob(f"{prefix}*") if re.fullmatch(r".*_\d+\.(pth?|safetensors)", path.name)]


def _step(path: Path) -> int:
    return int(path.stem.rsplit("_", 1)[1])


def _read(path: Path, part: str = "model") -> tuple[dict[str, torch.Tensor], dict]:
    """The tensors of a file of either format, and all else that it holds."""
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    if path.suffix == ".safetensors":
        return read_own(path)
    content = read_torch(path)
    if not isinstance(content, dict) or not isinstance(content.get(part), dict):
        raise CheckpointError(f"{path} is not a model of so-vits-svc: it has no part called {part!r}.")
    weights = content.pop(part)
    return {key: value for key, value in weights.items() if isinstance(value, torch.Tensor)}, content


def read_own(path: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The tensors and the metadata of an own file of any kind. Raises CheckpointError."""
    if not Path(path).is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path} is cut short or no safetensors file ({error}).") from None
    if not re.fullmatch(r"\d{1,9}", metadata.get("format", "")):
        raise CheckpointError(f"{path} was not written by svcnb: it does not say how it is laid out.")
    if int(metadata["format"]) > FORMAT:
        raise CheckpointError(f"{path} was written by a newer svcnb; update this one to open it.")
    return stored, metadata


def _config(path: Path, metadata: dict, config: Tree | str | Path | None, tree: type[Tree] = Config) -> Tree:
    """The config given, else the one in an own file, else the one beside an original file."""
    if isinstance(config, tree):
        return config
    kind, model, beside = _KINDS[tree]
    if config is None and path.suffix == ".safetensors":
        if metadata.get("kind") != kind:
            raise CheckpointError(f"{path} holds a {metadata.get('kind', 'part')}, not a {model}.")
        try:
            return tree.parse(json.loads(metadata["config"]), f"the config in {path}")
        except (KeyError, json.JSONDecodeError, RecursionError):
            raise CheckpointError(f"{path} holds no readable config; give the path of one.") from None
    config = path.with_name(beside) if config is None else Path(config)
    if not config.is_file():
        raise CheckpointError(f"{path} needs the {beside} that was made with it, and {config} is not there.")
    return tree.load(config)


def _build(path: Path, network: Callable[[], nn.Module]) -> nn.Module:
    try:
        return network().eval()
    except Exception as error:  # sizes that contradict each other fail in many ways
        reason = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")
        raise CheckpointError(f"No network can be built from the config of {path} ({reason}).") from error


def _refuse(path: Path, misfit: Misfit, may_lack: tuple[str, ...], may_spare: tuple[str, ...]) -> None:
    """Raise for the first part that the network needs and the file has not, or the other way round."""
    if not misfit.taken:
        raise CheckpointError(f"{path} fits no part of this network: a model is G_…, its discriminator is D_….")
    for key, why in misfit.kept.items():
        if not key.startswith(may_lack):
            raise CheckpointError(f"{key} of {path} {why}: set {settings_behind(key)} as when it was trained.")
    for key in misfit.unused:
        if not key.startswith(may_spare):
            raise CheckpointError(f"{path} has {key}, which the config leaves out: see {settings_behind(key)}.")


def _refuse_broken(path: Path, model: nn.Module) -> None:
    for key, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{key} of {path} has values that are no numbers; take an earlier checkpoint.")


def _refuse_folded(model: nn.Module) -> None:
    if "dec.conv_pre.weight" in model.state_dict():
        raise CheckpointError("This model's weights were folded for conversion; save the model as it was loaded.")


def _warn(path: Path, kept: dict[str, str], unused: list[str]) -> None:
    if kept:
        log.warning("%s: %d parts keep the values they had: %s", path, len(kept), ", ".join(kept))
    if unused:
        log.warning("%s: %d parts have no use here: %s", path, len(unused), ", ".join(unused))


def _save(path: str | Path, kind: str, model: nn.Module, config: Tree, dtype: torch.dtype) -> None:
    _refuse_folded(model)
    names = shared_names(model)
    learnt = {key for key, _ in model.named_parameters(remove_duplicate=False)}  # a noise schedule stays exact
    state = {
        key: tensor.detach().to("cpu", dtype if key in learnt else tensor.dtype).contiguous()
        for key, tensor in model.state_dict().items()
        if not is_constant(key) and names.get(key, [key])[-1] == key
    }
    metadata = {"format": str(FORMAT), "kind": kind, "config": json.dumps(config.tree(), ensure_ascii=False)}
    write_whole(path, save(state, metadata))


def _save_pth(path: str | Path, state: dict, optimizer: dict | None, iteration: int, learning_rate: float) -> None:
    content = {"model": state, "iteration": iteration, "optimizer": optimizer, "learning_rate": learning_rate}
    with whole_file(path) as part:
        torch.save(content, part)


def _without_moments(optimizer: object) -> dict | None:
    """An optimiser's state as before its first step."""
    if not isinstance(optimizer, dict):
        return None
    settings = lambda group: {key: value for key, value in group.items() if key != "initial_lr"}
    return {"state": {}, "param_groups": [settings(group) for group in optimizer.get("param_groups", [])]}
