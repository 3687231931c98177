"""Voices of a few megabytes: what low-rank training added to a base model, as a file, and put back into the base.

    model, config = merge("base.safetensors", ["L_800.safetensors"])
    save_sovits("voice.safetensors", model, config)

A file holds `<key>.up` and `<key>.down` of each large weight and all small ones whole, the config, and a hash of the
base's weights, so that it is never added to another base. What only training needs is left out.

Notebook: 06_mixing_export
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save

from svcnb.checkpoint import CheckpointError, read_own, read_weights
from svcnb.config import Config
from svcnb.files import write_whole
from svcnb.models import lora
from svcnb.models.sovits import Sovits
from svcnb.weights import fit

FORMAT = "1"  # of these files
TRAINING_ONLY = "enc_q."


def save_lora(path: str | Path, model: Sovits, config: Config) -> None:
    """Write what was trained of a model with low-rank weights, whole or not at all. Raises OSError."""
    trained, frozen = lora.parts(model)
    state = {
        key: tensor.detach().float().cpu().contiguous()
        for key, tensor in trained.items()
        if not key.startswith(TRAINING_ONLY)
    }
    tree = json.dumps(config.tree(), ensure_ascii=False)
    write_whole(path, save(state, {"format": FORMAT, "kind": "lora", "base": fingerprint(frozen), "config": tree}))


def merge(
    base: str | Path, paths: Sequence[str | Path], percent: Sequence[float] | None = None
) -> tuple[Sovits, Config]:
    """A plain model, ready for conversion, of a base and one voice or several, and the first one's config.

    base: the model that all were trained from, of either format. percent: how much of each; the same of all, if not
    given. Raises CheckpointError for voices of another base or make.
    """
    percent = [100 / len(paths)] * len(paths) if percent is None else percent
    if not paths or len(percent) != len(paths):
        raise CheckpointError(f"There are {len(paths)} voices and {len(percent)} percentages; give one for each.")
    voices = [_read(path) for path in paths]
    for path, (trained, _) in zip(paths, voices, strict=True):
        if _shapes(trained) != _shapes(voices[0][0]):
            raise CheckpointError(f"{path} is of another make than {paths[0]}; voices to mix need the same settings.")
    weights = read_weights(base)
    frozen = {key.removesuffix(".up"): None for key in voices[0][0] if key.endswith(".up")}
    missing = [key for key in frozen if key not in weights]
    frozen = {key: weights[key] for key in frozen if key in weights}
    for path, (_, metadata) in zip(paths, voices, strict=True):
        if missing or metadata.get("base") != fingerprint(frozen):
            raise CheckpointError(f"{path} was trained from another model than {base}; give the one it began with.")
    frozen = {key: weight.float() for key, weight in frozen.items()}
    state = lora.combined(frozen, [trained for trained, _ in voices], [share / 100 for share in percent])
    config = Config.parse(json.loads(voices[0][1]["config"]), f"the config in {paths[0]}")
    model = Sovits(config).eval()
    model.enc_q = None  # for training only
    if lacking := fit(model, state).kept:
        raise CheckpointError(f"{paths[0]} is no whole voice: {next(iter(lacking))} is missing; save it again.")
    return model, config


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """A hash of weights and their keys, the same in every file format."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(key.encode())
        digest.update(weights[key].detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    trained, metadata = read_own(path)
    if metadata.get("kind") != "lora":
        raise CheckpointError(f"{path} holds no low-rank voice but a {metadata.get('kind', 'part')}: those are L_….")
    return trained, metadata


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in tensors.items()}
