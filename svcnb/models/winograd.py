"""Long convolutions with half the multiplications, for singing on a CPU.

Four neighbouring samples under four taps take sixteen multiplications, or seven: both sides are read as polynomials,
taken at seven points and multiplied there (Toom 1963, Winograd 1980; for networks Lavin and Gray 2016). Seven taps are
two times four, eleven three times four; what a point's products add up to is a shorter convolution of its own.

Notebook: 05_infer
"""

import numba
import numpy as np
import torch
from torch.nn import functional as F

from svcnb.models.side_by_side import shared_out

TAPS = 4  # taps at a time, and samples at a time
POINTS = (0, 1, -1, 2, -2, 0.5)  # and infinity


def _powers(count: int) -> np.ndarray:
    """(7, count): what turns the coefficients of a polynomial into its values at the points; at infinity its last."""
    return np.vstack([np.power.outer(np.float64(POINTS), np.arange(count)), np.eye(count)[-1]])


VALUES = _powers(TAPS)
OF_SAMPLES, BACK = np.linalg.inv(_powers(2 * TAPS - 1)).T.astype(np.float32), VALUES.T.astype(np.float32)


class Winograd:
    """A convolution over time of (B, C, 1, T) to the same length, for one whose weight no longer changes."""

    def __init__(self, conv: torch.nn.Conv1d):
        self.dilation, self.padding = conv.dilation[0], conv.padding[0]
        weight = conv.weight.detach()
        self.shifts = -(-weight.shape[-1] // TAPS)
        taps = F.pad(weight, (0, TAPS * self.shifts - weight.shape[-1])).unflatten(-1, (self.shifts, TAPS))
        at_points = torch.einsum("pt,oist->pois", torch.from_numpy(VALUES), taps.double()).float()
        self.weights = [w.unsqueeze(-1).contiguous(memory_format=torch.channels_last) for w in at_points]
        self.bias = conv.bias.detach().repeat(self.dilation).numpy()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._convolve(item) for item in x[:, :, 0].mT.float()]).mT.unsqueeze(2)

    def _convolve(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (T, C): a tile is `TAPS` steps, and a step `dilation` rows."""
        frames, channels = rows.shape
        step, tiles = self.dilation * channels, -(-frames // (TAPS * self.dilation))
        heard, more = tiles + self.shifts - 1, (tiles + self.shifts) * TAPS * self.dilation
        given = F.pad(rows, (0, 0, self.padding, more - frames - self.padding)).view(-1, TAPS, step)
        points = torch.empty(len(self.weights), heard, self.dilation, channels)
        made = torch.empty(tiles, TAPS, len(self.bias))
        arrays = given.numpy(), points.flatten(2).numpy()
        shared_out(heard, lambda first, stop: _to_points(first, stop, *arrays))
        convolve = lambda x, w: F.conv2d(x.permute(2, 0, 1)[None], w)[0].permute(1, 2, 0).reshape(tiles, -1).numpy()
        products = tuple(convolve(x, w) for x, w in zip(points, self.weights, strict=True))
        shared_out(tiles, lambda first, stop: _to_samples(first, stop, products, self.bias, made.numpy()))
        return made.view(tiles * TAPS * self.dilation, -1)[:frames]


@numba.njit(fastmath=True, nogil=True)
def _to_points(first, stop, x, points):
    """Tiles first to stop of x (tiles + 1, 4, N), each with three steps of the next, to values (7, tiles, N)."""
    for tile in range(first, stop):
        for point in range(7):
            a, b, c, d, e, f, g = OF_SAMPLES[point]
            for i in range(np.uintp(x.shape[2])):
                here = a * x[tile, 0, i] + b * x[tile, 1, i] + c * x[tile, 2, i] + d * x[tile, 3, i]
                after = e * x[tile + 1, 0, i] + f * x[tile + 1, 1, i] + g * x[tile + 1, 2, i]
                points[point, tile, i] = here + after


@numba.njit(fastmath=True, nogil=True)
def _to_samples(first, stop, products, bias, out):
    """Seven products (tiles, N) to tiles first to stop of the result (tiles, 4, N)."""
    for tile in range(first, stop):
        for step in range(4):
            a, b, c, d, e, f, g = BACK[step]
            for i in range(np.uintp(out.shape[2])):
                value = bias[i] + a * products[0][tile, i] + b * products[1][tile, i] + c * products[2][tile, i]
                value += d * products[3][tile, i] + e * products[4][tile, i] + f * products[5][tile, i]
                out[tile, step, i] = value + g * products[6][tile, i]
