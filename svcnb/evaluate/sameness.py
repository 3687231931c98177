"""How unlike two models of one kind sound, as after compression.

Notebook: 06_mixing_export
"""

import numpy as np
import torch

from svcnb.models.sovits import Sovits

FRAMES = 200  # that both models sing


@torch.inference_mode()
def decibels_apart(first: Sovits, second: Sovits) -> float:
    """How far below the sound of the first the difference of both is, in dB, inf where there is none.

    Both sing the same: noise for units, a pitch that glides from 110 to 440 Hz, the same drawn noise.
    """
    one, other = (_sound(model) for model in (first, second))
    power = np.mean((one - other) ** 2)
    return float(10 * np.log10(np.mean(one**2) / power)) if power else float("inf")


def _sound(model: Sovits) -> np.ndarray:
    draw = torch.Generator().manual_seed(0)
    units = torch.randn(1, model.pre.in_channels, FRAMES, generator=draw)
    f0 = torch.logspace(np.log10(110), np.log10(440), FRAMES)[None]
    loud = None if model.emb_vol is None else torch.full((1, FRAMES), 0.1)
    speaker = torch.zeros(1, dtype=torch.long)
    sound, _ = model.infer(units, f0, torch.ones_like(f0), speaker, volume=loud, generator=draw)
    return sound[0, 0].double().numpy()
