"""The second voice: a diffusion model, and the vocoder that it speaks through.

It sings alone, from noise, or makes better what a So-VITS has sung (shallow diffusion): the mel of that is noised by
`k_step` steps, which hides its faults, and the noise is taken away again.

Notebook: 04_train_diffusion
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from svcnb import registry
from svcnb.checkpoint import load_diffusion, load_vocoder
from svcnb.config import Config, ConfigError, DiffusionConfig
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.rectified import CALLS
from svcnb.models.vocoder import Vocoder
from svcnb.options import ConvertError, Options

K_STEP = 100  # steps of noise on what a So-VITS has sung, if nothing else is said


class Heard(NamedTuple):
    """A stretch of song as a voice is told of it, T frames."""

    units: torch.Tensor  # (1, D, T)
    f0: torch.Tensor  # (1, T) Hz, filled through unvoiced stretches
    voiced: torch.Tensor  # (1, T)
    volume: torch.Tensor  # (1, T) RMS
    speaker: int | np.ndarray  # who sings: a number, or shares of the speakers per frame (T, S)


class SecondVoice:
    """A diffusion model with its vocoder. Raises ConvertError where they do not belong together."""

    def __init__(self, model: Unit2Mel, config: DiffusionConfig, vocoder: Vocoder, device: torch.device | str = "cpu"):
        if vocoder.n_mels != model.mels:
            raise ConvertError(
                f"The diffusion model makes mels of {model.mels} bands, but the vocoder sings from {vocoder.n_mels}; "
                "take the vocoder that the model was trained with."
            )
        self.model, self.config, self.vocoder = model.to(device), config, vocoder.to(device)
        self.numbers = None  # of the first voice's speakers here, by their numbers there; none: the same

    @classmethod
    def load(
        cls,
        path: str | Path,
        config: str | Path | None = None,
        vocoder: str | Path | None = None,
        device: torch.device | str = "cpu",
    ) -> "SecondVoice":
        """Read our .safetensors, or the original's model_….pt with its config.yaml.

        vocoder: a folder or a file, if not the one that the model's settings name. Raises CheckpointError, ConfigError,
        ConvertError.
        """
        model, config = load_diffusion(path, config)
        return cls(model, config, find_vocoder(config, vocoder, Path(path).parent), device)

    def join(self, config: Config) -> None:
        """Sing what a So-VITS with this config has sung. Raises ConvertError where the two do not go together."""
        ours, theirs = self.config.data, config.data
        kinds = (ours.encoder, ours.encoder_out_channels), (config.model.speech_encoder, config.model.ssl_dim)
        if len({(name.removesuffix("-onnx"), dim) for name, dim in kinds}) > 1:
            (own, width), (other, other_width) = kinds
            raise ConvertError(
                f"The diffusion model hears through {own} ({width} values), the voice through {other} ({other_width}); "
                "take two that were trained on the same features."
            )
        if (ours.sampling_rate, ours.block_size) != (theirs.sampling_rate, theirs.hop_length):
            raise ConvertError(
                f"The diffusion model has {ours.sampling_rate} Hz and frames of {ours.block_size} samples, the voice "
                f"{theirs.sampling_rate} Hz and {theirs.hop_length}; take two that were trained on the same clips."
            )
        self.numbers = self._numbers(config.spk)

    def _numbers(self, speakers: dict[str, int]) -> dict[int, int]:
        own = self.config.spk
        if self.config.model.n_spk <= 1 or not own or not speakers:
            return None
        if missing := [name for name in speakers if name not in own]:
            raise ConvertError(
                f"The diffusion model does not know the voice's speaker {missing[0]!r}, only {', '.join(own)}; "
                "take one that was trained with it."
            )
        return {number: own[name] for name, number in speakers.items()}

    def steps(self, options: Options, shallow: bool) -> dict[str, int | str | None]:
        """k_step, sampler and speedup for these options, what they leave open from the model's settings.

        A speedup from the settings is lowered where k_step is too small for it. Raises ConvertError for what the model
        or the sampler can not do.
        """
        sampler, speedup = options.sampler or self.config.infer.method, options.speedup or self.config.infer.speedup
        k_step = (options.k_step or min(K_STEP, self.model.k_step_max)) if shallow else None
        if options.speedup is None and shallow:
            speedup = max(1, min(speedup, k_step // CALLS.get(sampler, 2)))
        try:
            self.model.calls(k_step, sampler, speedup)
        except ValueError as error:
            raise ConvertError(str(error)) from None
        return {"k_step": k_step, "sampler": sampler, "speedup": speedup}

    def sing(
        self,
        heard: Heard,
        options: Options,
        sound: torch.Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Sing a stretch of song, (1, T * hop); `sound` (1, T * hop) is what a So-VITS made of it, if there is one."""
        column = lambda x: x[..., None]
        told = heard.units.mT, column(heard.f0), column(heard.volume)
        start = None if sound is None else self.vocoder.mel(sound, self.config.data.sampling_rate)
        how = self.steps(options, sound is not None)
        with torch.autocast(heard.units.device.type, torch.bfloat16, enabled=options.half_diffusion):
            mel = self.model(*told, **self._who(heard), source_mel=start, **how, generator=generator).float()
        return self.vocoder(mel, column(heard.f0), generator)[:, 0]

    def _who(self, heard: Heard) -> dict[str, torch.Tensor]:
        """What tells the model who sings, in its own numbers."""
        who, device = heard.speaker, heard.units.device
        if isinstance(who, int):
            return {"speaker": torch.tensor([who if self.numbers is None else self.numbers[who]], device=device)}
        if self.numbers is not None:
            shares = np.zeros((len(who), self.config.model.n_spk), np.float32)
            shares[:, [self.numbers[number] for number in range(who.shape[1])]] = who
            who = shares
        return {"mix": torch.from_numpy(who).to(device)}


def find_vocoder(config: DiffusionConfig, path: str | Path | None = None, beside: Path | None = None) -> Vocoder:
    """The vocoder at `path`, else the one that the config names (perhaps `beside` the model), else the downloaded one.

    Raises ConfigError where there is none, or where its frames are not those of the config.
    """
    named = Path(config.vocoder.ckpt)
    places = [path] if path else [named, *([beside / named] if beside else []), registry.here("nsf-hifigan")]
    place = next((Path(place) for place in places if place and Path(place).exists()), None)
    if place is None:
        raise ConfigError(
            f"There is no vocoder at {places[0]}; name a folder of `model` and config.json, or a .safetensors file."
        )
    vocoder = load_vocoder(place, log10=config.vocoder.type == "nsf-hifigan-log10")
    if (vocoder.sampling_rate, vocoder.hop) != (config.data.sampling_rate, config.data.block_size):
        raise ConfigError(
            f"The vocoder at {place} has {vocoder.sampling_rate} Hz and frames of {vocoder.hop} samples, but the "
            f"config says {config.data.sampling_rate} Hz and {config.data.block_size}; take one that fits."
        )
    return vocoder
