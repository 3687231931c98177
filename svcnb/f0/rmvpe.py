"""RMVPE: pitch from a mel spectrogram by a U-Net and a recurrent layer; made for singing with accompaniment.

Reads rmvpe.pt as so-vits-svc uses it and the smaller half-precision file of RVC.

Notebook: 02_features
"""

from functools import lru_cache
from itertools import pairwise

import librosa
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from svcnb import registry
from svcnb.f0.neural import NeuralPredictor, load_state
from svcnb.f0.postprocess import from_cents, local_mean, to_cents
from svcnb.f0.predictor import F0Error
from svcnb.unpickle import read_torch

CENTS = 20 * np.arange(360) + 1997.3794084376191


class Rmvpe(NeuralPredictor):
    """rmvpe: the steadiest on noisy or accompanied singing; its weights are a download of 180 or 360 MB."""

    def load(self) -> nn.Module:
        net = from_checkpoint(read_torch(self.path or registry.fetch("rmvpe")))
        if self.half:
            net.unet.to(self.narrow), net.cnn.to(self.narrow)  # the recurrent layer is no faster then
        return net

    @torch.inference_mode()
    def pitch(self, wav: torch.Tensor) -> np.ndarray:
        salience = self.net(mel(wav[None]))[0].cpu().numpy()
        if not self.original:
            salience = salience * ((to_cents(self.f0_min) <= CENTS) & (to_cents(self.f0_max) >= CENTS))
        return decode(salience, self.threshold)


def mel(wav: torch.Tensor, semitones: float = 0) -> torch.Tensor:
    """Log mel (B, 128, N // 160 + 1) of 16 kHz audio (B, N): centred, HTK bands; `semitones` moves the pitch."""
    window = round(1024 * 2 ** (semitones / 12))
    mode = "reflect" if window // 2 < wav.shape[1] else "constant"
    hann = torch.hann_window(window, device=wav.device)
    spec = torch.view_as_real(torch.stft(wav, window, 160, window=hann, pad_mode=mode, return_complex=True))
    spec = spec.square().sum(-1).sqrt()
    if semitones:
        spec = F.pad(spec, (0, 0, 0, max(0, 513 - spec.shape[1])))[:, :513] * 1024 / window
    return torch.log(torch.clamp(_bands().to(wav.device) @ spec, min=1e-5))


@lru_cache(1)
def _bands() -> torch.Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=16000, n_fft=1024, n_mels=128, fmin=30, fmax=8000, htk=True))


def decode(salience: np.ndarray, threshold: float) -> np.ndarray:
    """Pitch in Hz (T,) from salience (T, 360); 0 where no bin is above `threshold`."""
    return np.where(salience.max(1) > threshold, from_cents(local_mean(salience, CENTS)), 0)


def from_checkpoint(file: dict) -> nn.Module:
    """The network of an rmvpe.pt of either kind, sizes taken from the weights; raises F0Error for other files."""
    state = file.get("model", file) if isinstance(file, dict) else {}
    state = {key: value for key, value in state.items() if not key.startswith("unet.tf.")}  # no path leads through it
    levels, inner = _count(state, "unet.encoder.layers."), _count(state, "unet.intermediate.layers.")
    blocks = _count(state, "unet.encoder.layers.0.conv.")
    first = state.get("unet.encoder.layers.0.conv.0.conv.0.weight")
    if first is None:
        raise F0Error("This is no RMVPE file: its encoder is missing.")
    return folded(load_state(RmvpeNet(levels, blocks, inner, width=first.shape[0]), state, "RMVPE").eval())


def folded(net: nn.Module) -> nn.Module:
    """The same network, faster, in eval mode: batch norms are in the convolutions, channels side by side in memory."""
    for part in net.modules():
        layers = list(part) if isinstance(part, nn.Sequential) else []
        for i, (layer, norm) in enumerate(pairwise(layers)):
            if isinstance(norm, nn.BatchNorm2d):
                part[i] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                part[i + 1] = nn.Identity()
    return net.to(memory_format=torch.channels_last)


def _count(state: dict[str, torch.Tensor], prefix: str) -> int:
    """How many different numbers follow `prefix` in the names of the tensors."""
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


class RmvpeNet(nn.Module):
    """Log mel (B, 128, T) to salience (B, T, 360); attribute names are those of rmvpe.pt."""

    def __init__(self, levels: int = 5, blocks: int = 4, inner: int = 4, width: int = 16) -> None:
        super().__init__()
        self.unet = Unet(levels, blocks, inner, width)
        self.cnn = nn.Conv2d(width, 3, 3, padding=1)
        self.fc = nn.Sequential(_Recurrent(3 * 128, 256), nn.Linear(512, 360), nn.Dropout(0.25), nn.Sigmoid())
        self.step = 2**levels

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        frames = mel.shape[2]
        x = F.pad(mel, (0, -frames % self.step))
        x = self.cnn(self.unet(x.mT[:, None].to(self.cnn.weight.dtype)))  # (B, 3, T, 128)
        return self.fc(x.transpose(1, 2).flatten(2).float())[:, :frames]


class _Recurrent(nn.Module):
    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inner, width, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x)[0]


class Unet(nn.Module):
    """An image (B, 1, T, 128) to features (B, C, T, 128): halved `levels` times, then doubled back, with bridges."""

    def __init__(self, levels: int, blocks: int, inner: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(levels + 1)]
        self.encoder = nn.Module()
        self.encoder.bn = _norm(1)
        self.encoder.layers = nn.ModuleList(
            Blocks(before, after, blocks) for before, after in zip([1, *widths[:-2]], widths[:-1], strict=True)
        )
        self.intermediate = nn.Module()
        self.intermediate.layers = nn.ModuleList(
            Blocks(widths[-2] if i == 0 else widths[-1], widths[-1], blocks) for i in range(inner)
        )
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList(Up(2 * after, after, blocks) for after in widths[-2::-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, bridges = self.encoder.bn(x), []
        for layer in self.encoder.layers:
            x = layer(x)
            bridges.append(x)
            x = F.avg_pool2d(x, 2)
        for layer in self.intermediate.layers:
            x = layer(x)
        for layer in self.decoder.layers:
            x = layer(x, bridges.pop())
        return x


class Blocks(nn.Module):
    """Several residual blocks; the first changes the width."""

    def __init__(self, before: int, after: int, count: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Residual(before if i == 0 else after, after) for i in range(count)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Up(nn.Module):
    """Twice the size, joined with the bridge of that size, then residual blocks."""

    def __init__(self, before: int, after: int, count: int) -> None:
        super().__init__()
        up = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.conv1 = nn.Sequential(up, _norm(after), nn.ReLU(inplace=True))
        self.conv2 = nn.ModuleList(Residual(2 * after if i == 0 else after, after) for i in range(count))

    def forward(self, x: torch.Tensor, bridge: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.conv1(x), bridge], 1)
        for block in self.conv2:
            x = block(x)
        return x


class Residual(nn.Module):
    """Two 3 x 3 convolutions added to their input, which passes through `shortcut` when the width changes."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        layers = []
        for inner in (before, after):
            layers += [nn.Conv2d(inner, after, 3, padding=1, bias=False), _norm(after), nn.ReLU(inplace=True)]
        self.conv = nn.Sequential(*layers)
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + self.shortcut(x)


def _norm(width: int) -> nn.Module:
    return nn.BatchNorm2d(width, momentum=0.01)
