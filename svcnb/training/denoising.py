"""Noise on its way into a mel, and out of it again: what a diffusion model sees, to be looked at and listened to.

Notebook: 04_train_diffusion
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from svcnb.convert import Converter
from svcnb.options import Options


class Film(NamedTuple):
    """Mels one after the other."""

    steps: list[int]  # of noise in each; 0 is none
    mels: list[np.ndarray]  # natural log, each (T, M)


@torch.inference_mode()
def noised(converter: Converter, wav: np.ndarray, steps: Sequence[int], seed: int = 0) -> Film:
    """The mel of sound (N,) at the converter's rate with the noise of each of these steps, the same noise in all."""
    second = converter.diffusion
    decoder, mel = second.model.decoder, second.vocoder.mel(_row(wav), converter.sample_rate).mT
    noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(seed))

    def at(step: int) -> torch.Tensor:
        return decoder.denorm(decoder.add_noise(decoder.norm(mel), torch.tensor([step - 1]), noise)) if step else mel

    return Film(list(steps), [_picture(at(step)) for step in steps])


@torch.inference_mode()
def watched(converter: Converter, wav: np.ndarray, speaker: str | int, **options) -> Film:
    """What the diffusion model is shown at each call while sound (N,) is converted, and the mel that it ends with.

    options: as for `Converter.convert`.
    """
    film, decoder = Film([], []), converter.diffusion.model.decoder

    def look(_, given) -> None:
        film.steps.append(round(given[1][0].item()) + 1)
        film.mels.append(_picture(decoder.denorm(given[0])))

    def end(_, given) -> None:
        film.steps.append(0)
        film.mels.append(given[0][0].float().cpu().numpy())

    hooks = (
        decoder.denoise_fn.register_forward_pre_hook(look),
        converter.diffusion.vocoder.register_forward_pre_hook(end),
    )
    try:
        converter.sing(wav, converter.sample_rate, converter.speaker_id(speaker), Options.of(options))
    finally:
        for hook in hooks:
            hook.remove()
    return film


@torch.inference_mode()
def spoken(converter: Converter, mel: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """What the vocoder makes of a mel (T, M), sung at f0 (T or more,) in Hz: (N,)."""
    return converter.diffusion.vocoder(_row(mel), _row(f0), torch.Generator().manual_seed(0))[0, 0].numpy()


@torch.inference_mode()
def mel_of(converter: Converter, wav: np.ndarray) -> np.ndarray:
    """The mel (T, M) of sound (N,) at the converter's rate, as its vocoder hears it."""
    return converter.diffusion.vocoder.mel(_row(wav), converter.sample_rate)[0].numpy()


def apart(converter: Converter, wav: np.ndarray, truth: np.ndarray, floor: float = -9.0) -> float:
    """Mean difference of the mels of two sounds, in nats, where the second is above `floor`."""
    made, true = mel_of(converter, wav), mel_of(converter, truth)
    frames = min(len(made), len(true))
    return float(np.abs(made[:frames] - true[:frames])[true[:frames] > floor].mean())


def _row(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float32))[None]


def _picture(x: torch.Tensor) -> np.ndarray:
    return x[0].mT.float().cpu().numpy()
