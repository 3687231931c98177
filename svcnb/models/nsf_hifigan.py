"""The decoder: from latent frames and pitch to sound.

HiFi-GAN (Kong et al. 2020) with a neural source filter (Wang et al. 2019).

A bank of sine waves at the pitch and its overtones goes in beside the frames at every stage of upsampling, so that the
network shapes a tone instead of having to invent one.

Notebook: 03_train_sovits
"""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from svcnb.models.noise import normal, uniform
from svcnb.models.norms import Conv1d, ConvTranspose1d
from svcnb.models.snake import SnakeAlias

HARMONICS = 9  # the pitch and eight overtones
AMPLITUDE, NOISE = 0.1, 0.003  # of the sines, and of the noise on them
TOOTH = 0.3  # amplitude of the sawtooth


def _slope(slope: float):
    return lambda channels: nn.LeakyReLU(slope)


class SineSource(nn.Module):
    """Sine waves at the pitch and its overtones, noise where there is no pitch, mixed to one signal.

    The overtones start at random phases. smear: as in the mel vocoder, they get there by running at random wrong
    frequencies through the first frame. sawtooth: one more wave, which has every overtone, after the nine.
    """

    def __init__(self, sampling_rate: int, smear: bool = False, sawtooth: bool = False):
        super().__init__()
        self.sampling_rate, self.smear, self.sawtooth = sampling_rate, smear, sawtooth
        self.l_linear = nn.Linear(HARMONICS + sawtooth, 1)

    def forward(self, f0: torch.Tensor, hop: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """f0 (B, T) in Hz, 0 or less where unvoiced, to a signal (B, 1, T * hop)."""
        sines = self.sines(f0, hop, *self.draw(f0, hop, generator)).to(self.l_linear.weight.dtype)
        return torch.tanh(self.l_linear(sines)).mT

    def draw(self, f0: torch.Tensor, hop: int, generator: torch.Generator | None = None) -> tuple:
        """What is random in it: where the sines start (B, 9), in cycles, and normal noise (B, T * hop, 9)."""
        start = uniform((len(f0), HARMONICS), generator).to(f0.device)
        return start, normal((len(f0), f0.shape[1] * hop, HARMONICS), like=f0.float(), generator=generator)

    @torch.no_grad()
    def sines(self, f0: torch.Tensor, hop: int, start: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The waves before they are mixed: (B, T * hop, 9 or, with a sawtooth, 10); the pitch itself starts at 0."""
        with torch.autocast(f0.device.type, enabled=False):
            harmonics = torch.arange(1, HARMONICS + 1, device=f0.device)
            # The step per sample is rounded to float32, as the original's is; its sum is kept in double precision.
            step = f0.float()[..., None] * harmonics / self.sampling_rate % 1  # cycles per sample, (B, T, 9)
            start = start * (harmonics > 1)
            if self.smear:
                step = torch.cat([step[:, :1] + start[:, None], step[:, 1:]], dim=1)
                start = torch.zeros_like(start)
            step = step.double()
            before = (step * hop).cumsum(1) - step * hop + start.double()[:, None]
            within = torch.arange(1, hop + 1, device=f0.device)
            phase = (before[:, :, None] + step[:, :, None] * within[:, None]) % 1  # (B, T, hop, 9)
            voiced = (f0 > 0).float()[..., None, None]
            sines = torch.sin(2 * math.pi * phase.float()) * (AMPLITUDE * voiced)
            level = voiced * NOISE + (1 - voiced) * AMPLITUDE / 3
            waves = sines + level * noise.view_as(sines)
            if self.sawtooth:
                tooth = _sawtooth(phase[..., :1], step[:, :, None, :1]).float() * (TOOTH * voiced)
                waves = torch.cat([waves, tooth], -1)
            return waves.flatten(1, 2)


def _sawtooth(phase: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """A wave that falls from 1 to -1 in a cycle; `phase` and `step`, per sample, are in cycles.

    Its jump takes two samples (polyBLEP, Valimaki and Huovilainen 2007), so that little of it aliases.
    """
    near = lambda distance: (1 - distance / step.clamp(min=1e-6)).clamp(min=0) ** 2
    return 1 - 2 * phase - near(phase) + near(1 - phase)


def clear_start(decoder: "Generator") -> None:
    """Start a small decoder so that it sings from the first steps: the sine source loud, what comes in kept as loud.

    From the usual start a short training ignores the weak source and hums at the frame rate.
    """
    with torch.no_grad():
        decoder.m_source.l_linear.weight.fill_(2.0)
        decoder.m_source.l_linear.bias.zero_()
        for up in decoder.ups:
            up.weight_g.mul_((3 * up.stride[0]) ** 0.5)
        decoder.conv_post.weight_g.mul_(0.2)


@torch.no_grad()
def silence_hum(decoder: "Generator") -> None:
    """Let what does not move leave the upsampling layers without a pattern, which would be heard at the frame rate.

    To be called after every step: without it a small decoder learns to make all that is high of this pattern, which
    is easy, instead of the overtones of what is sung. Of low-rank weights only those that are trained are changed.
    """
    for up in decoder.ups:
        rate, adapted = up.stride[-1], getattr(up, "parametrizations", None)
        kernels = up.weight_v if adapted is None else adapted.weight_v[0].down.view(-1, *up.weight_v.shape[1:])
        phases = [kernels[..., phase::rate] for phase in range(rate)]
        sums = [taps.sum(-1, keepdim=True) for taps in phases]
        for taps, total in zip(phases, sums, strict=True):
            taps.sub_((total - sum(sums) / rate) / taps.shape[-1])


def _reach(convs, activations) -> int:
    """Samples to each side that what comes out of these layers, one after another, depends on."""
    return sum(conv.padding[0] for conv in convs) + sum(getattr(act, "reach", 0) for act in activations)


def in_windows(part, x: torch.Tensor, step: int, reach: int) -> torch.Tensor:
    """part(x), worked out for `step` samples after `step` samples, which a processor's cache then holds.

    `part` keeps the length of x (B, C, 1, T), and its samples depend on `reach` samples to each side.
    """
    if x.shape[-1] <= 2 * step:
        return part(x)
    done = []
    for start in range(0, x.shape[-1], step):
        before = min(start, reach)
        y = part(x[..., start - before : start + step + reach])
        done.append(y[..., before : before + step])
    return torch.cat(done, -1)


class ResBlock1(nn.Module):
    """Pairs of convolutions, the first of each dilated, each pair added to its input."""

    def __init__(self, channels: int, kernel_size: int, dilations, activation):
        super().__init__()
        conv = lambda d: Conv1d(channels, channels, kernel_size, dilation=d, padding=(kernel_size - 1) * d // 2)
        self.convs1 = nn.ModuleList([conv(d) for d in dilations])
        self.convs2 = nn.ModuleList([conv(1) for _ in dilations])
        self.activations = nn.ModuleList([activation(channels) for _ in range(2 * len(dilations))])
        self.reach = _reach([*self.convs1, *self.convs2], self.activations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activations = zip(self.activations[::2], self.activations[1::2], strict=True)
        for conv1, conv2, (act1, act2) in zip(self.convs1, self.convs2, activations, strict=True):
            x = x + conv2(act2(conv1(act1(x))))
        return x


class ResBlock2(nn.Module):
    """Dilated convolutions, each added to its input: a third of the work of `ResBlock1`."""

    def __init__(self, channels: int, kernel_size: int, dilations, activation):
        super().__init__()
        conv = lambda d: Conv1d(channels, channels, kernel_size, dilation=d, padding=(kernel_size - 1) * d // 2)
        self.convs = nn.ModuleList([conv(d) for d in dilations[:2]])
        self.activations = nn.ModuleList([activation(channels) for _ in self.convs])
        self.reach = _reach(self.convs, self.activations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, act in zip(self.convs, self.activations, strict=True):
            x = x + conv(act(x))
        return x


class Generator(nn.Module):
    """Upsample frames to samples in stages, adding the sine source at each.

    Input: (B, C, T), pitch (B, T) in Hz, speaker (B, G, 1 or T) where there are gin_channels for one. Output:
    (B, 1, T * hop) in (-1, 1).
    """

    def __init__(self, model, channels: int, gin_channels: int = 0, snake: bool = False, smear: bool = False):
        super().__init__()
        rates, kernels = model.upsample_rates, model.upsample_kernel_sizes
        widths = [model.upsample_initial_channel // 2**i for i in range(len(rates) + 1)]
        activation = SnakeAlias if snake else _slope(0.1)
        ResBlock = ResBlock1 if model.resblock == "1" else ResBlock2
        self.hop, self.n_kernels = math.prod(rates), len(model.resblock_kernel_sizes)
        self.window = 0  # values that a stage works on at once; 0: all

        self.m_source = SineSource(model.sampling_rate, smear, model.sawtooth)
        self.noise_convs = nn.ModuleList()
        self.conv_pre = Conv1d(channels, widths[0], 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        self.snakes = nn.ModuleList([activation(width) for width in widths[:-1]])
        for i, (rate, kernel, (before, after)) in enumerate(zip(rates, kernels, pairwise(widths), strict=True)):
            below = math.prod(rates[i + 1 :])
            shape = (
                dict(kernel_size=2 * below, stride=below, padding=(below + 1) // 2) if below > 1 else {"kernel_size": 1}
            )
            self.noise_convs.append(nn.Conv1d(1, after, **shape))
            self.ups.append(ConvTranspose1d(before, after, kernel, rate, padding=(kernel - rate + 1) // 2))
            for size, dilations in zip(model.resblock_kernel_sizes, model.resblock_dilation_sizes, strict=True):
                self.resblocks.append(ResBlock(after, size, dilations, activation))
        self.conv_post = Conv1d(widths[-1], 1, 7, padding=3)
        self.snake_post = activation(widths[-1]) if snake else nn.LeakyReLU(0.01)
        self.cond = nn.Conv1d(gin_channels, widths[0], 1) if gin_channels else None
        self.reach = self._frames_heard()

    def _frames_heard(self) -> int:
        """Frames to each side that the sound of a frame depends on."""
        reach, rate = self.conv_pre.padding[0], 1
        for i, (act, up) in enumerate(zip(self.snakes, self.ups, strict=True)):
            reach += (_reach([], [act]) + up.kernel_size[0] / up.stride[0]) / rate
            rate *= up.stride[0]
            reach += (1 + max(block.reach for block in self._stage(i))) / rate
        return math.ceil(reach + _reach([self.conv_post], [self.snake_post]) / rate)

    def _stage(self, i: int) -> nn.ModuleList:
        return self.resblocks[i * self.n_kernels : (i + 1) * self.n_kernels]

    def forward(self, x, f0, g=None, generator: torch.Generator | None = None, frames: slice | None = None):
        """frames: the only ones that are wanted; the sound is silent far from them."""
        source, count = self.m_source(f0, self.hop, generator), x.shape[-1]
        if frames is None:
            return self._shape(x, source, g)
        first, stop = max(0, frames.start - self.reach), min(count, frames.stop + self.reach)
        here = lambda x: x if x is None or x.shape[-1] == 1 else x[..., first:stop]
        sound = self._shape(here(x), source[..., first * self.hop : stop * self.hop], here(g))
        return F.pad(sound, (first * self.hop, (count - stop) * self.hop))

    def _shape(self, x: torch.Tensor, source: torch.Tensor, g: torch.Tensor | None) -> torch.Tensor:
        """Sound (B, 1, T * hop) of frames (B, C, T) and sines (B, 1, T * hop)."""
        dtype = self.conv_pre.bias.dtype
        x, source = self.conv_pre(x.to(dtype)), source.to(dtype)
        if self.cond is not None:
            x = x + self.cond(g.to(dtype))
        x = x.unsqueeze(2)
        for i, (act, up, noise_conv) in enumerate(zip(self.snakes, self.ups, self.noise_convs, strict=True)):
            x, stage = up(act(x)) + noise_conv(source).unsqueeze(2), self._stage(i)
            x = self._windowed(partial(_mean, stage), x, max(block.reach for block in stage))
        last = lambda x: self.conv_post(self.snake_post(x))
        x = self._windowed(last, x, _reach([self.conv_post], [self.snake_post]))
        return torch.tanh(x).squeeze(2).float()

    def _windowed(self, part, x: torch.Tensor, reach: int) -> torch.Tensor:
        return in_windows(part, x, self.window // x.shape[1], reach) if self.window else part(x)


def _mean(blocks, x: torch.Tensor) -> torch.Tensor:
    return sum(block(x) for block in blocks) / len(blocks)
