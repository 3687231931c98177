"""Stretching units in time: an encoder gives 50 frames a second, the voice model eats 86.

Notebook: 02_features
"""

import torch
import torch.nn.functional as F

INTERPOLATED = ("nearest", "nearest-exact", "linear", "area")  # torch's own modes


def stretch(units: torch.Tensor, frames: int, mode: str = "nearest") -> torch.Tensor:
    """Stretch units (S, D) to (frames, D), float32.

    `nearest` is what the original's templates say, `left` what models older than that setting were trained with: it
    repeats frames, and where there are too many it cuts off the end instead of compressing. Raises ValueError.
    """
    if len(units) == 0 or frames < 0:
        raise ValueError(f"Units of {len(units)} frames can not be stretched to {frames} frames.")
    units = units.float()
    if frames == 0:
        return units[:0]
    if mode == "left":
        index = torch.arange(frames, device=units.device)
        return units[index * len(units) // frames if frames >= len(units) else index]
    if mode not in INTERPOLATED:
        raise ValueError(f"Units can not be stretched by {mode!r}; there are left, {', '.join(INTERPOLATED)}.")
    return F.interpolate(units.T[None], size=frames, mode=mode)[0].T.contiguous()
