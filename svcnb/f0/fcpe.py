"""FCPE: pitch from a mel spectrogram by a stack of convolutions, with attention or without.

One network reads two files: fcpe.pt of so-vits-svc (attention), and the one inside the torchfcpe package (none),
which needs no download and is the default.

Notebook: 02_features
"""

import numpy as np
import torch
from torch import nn

from svcnb.f0.neural import HOP, RATE, NeuralPredictor, load_state, weights_in
from svcnb.f0.postprocess import from_cents, local_mean, to_cents
from svcnb.f0.predictor import F0Error
from svcnb.spectral import vocoder_mel
from svcnb.unpickle import read_torch

HEADS, HEAD_DIM = 8, 64


class Fcpe(NeuralPredictor):
    """fcpe: fast and steady; by default with the weights of the torchfcpe package."""

    def load(self) -> nn.Module:
        path = self.path or weights_in("torchfcpe", "assets/fcpe_c_v001.pt", "torchfcpe")
        return from_checkpoint(read_torch(path))

    @torch.inference_mode()
    def pitch(self, wav: torch.Tensor) -> np.ndarray:
        heard = mel(wav[None])
        with self.precision():
            salience = self.net(heard)[0].float().cpu().numpy()
        cents = self.net.cent_table.cpu().numpy()
        if not self.original:
            salience = salience * ((cents >= to_cents(self.f0_min)) & (cents <= to_cents(self.f0_max)))
        return decode(salience, cents, self.threshold, clamp=self.original)


def mel(wav: torch.Tensor) -> torch.Tensor:
    """Log mel (B, N // 160 + 1, 128) of 16 kHz audio (B, N); the last frame comes twice."""
    log = vocoder_mel(wav, RATE, 1024, HOP, 1024, 128, 0, 8000).mT
    return torch.cat([log, log[:, -1:]], 1)[:, : wav.shape[1] // HOP + 1]


def decode(salience: np.ndarray, cents: np.ndarray, threshold: float, clamp: bool = False) -> np.ndarray:
    """Pitch in Hz (T,) from salience (T, K) of bins at `cents` (K,); 0 where no bin is above `threshold`."""
    hz = from_cents(local_mean(salience, cents, clamp=clamp))
    return np.where(salience.max(1) > threshold, hz, 0)


def from_checkpoint(file: dict) -> nn.Module:
    """The network of an fcpe.pt or of torchfcpe's file, sized by its weights; raises F0Error for other files."""
    if not isinstance(file, dict) or "model" not in file:
        raise F0Error("This is no FCPE file: it has no entry 'model'.")
    state = {_original_key(key): value for key, value in file["model"].items()}
    state.pop("gaussian_blurred_cent_mask", None)
    try:
        gain, direction = state.pop("dense_out.weight_g").float(), state.pop("dense_out.weight_v").float()
        bins, width = direction.shape
    except (KeyError, ValueError):
        raise F0Error("This is no FCPE file: it has no output layer.") from None
    state["dense_out.weight"] = gain * direction / direction.norm(dim=1, keepdim=True)
    layers = 1 + max((int(key.split(".")[2]) for key in state if key.startswith("decoder._layers.")), default=-1)
    attention = any(".attn." in key for key in state)
    if not attention:  # stored, but no path leads through it
        state = {key: value for key, value in state.items() if not (key.startswith("decoder.") and ".norm." in key)}
    return load_state(FcpeNet(layers, width, bins, attention), state, "FCPE")


def _original_key(key: str) -> str:
    """The name in fcpe.pt of a tensor of torchfcpe's file."""
    key = key.replace("net.encoder_layers.", "decoder._layers.").replace("input_stack.", "stack.")
    key = key.replace("output_proj.", "dense_out.").replace("parametrizations.weight.original0", "weight_g")
    return key.replace("parametrizations.weight.original1", "weight_v")


class FcpeNet(nn.Module):
    """Log mel (B, T, 128) to the salience (B, T, K) of K pitches; attribute names are those of fcpe.pt."""

    def __init__(self, layers: int, width: int, bins: int, attention: bool) -> None:
        super().__init__()
        self.register_buffer("cent_table", torch.linspace(*to_cents([32.7, 1975.5]).tolist(), bins))
        self.stack = nn.Sequential(
            nn.Conv1d(128, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.LeakyReLU(),
            nn.Conv1d(width, width, 3, padding=1),
        )
        self.decoder = nn.Module()
        self.decoder._layers = nn.ModuleList(Layer(width, attention) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dense_out = nn.Linear(width, bins)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self.stack(mel.mT).mT
        for layer in self.decoder._layers:
            x = layer(x)
        return torch.sigmoid(self.dense_out(self.norm(x)))


class Layer(nn.Module):
    """Attention, if the file has it, and a convolution module, each added to its input (B, T, C)."""

    def __init__(self, width: int, attention: bool) -> None:
        super().__init__()
        self.conformer = ConvModule(width)
        if attention:
            self.norm = nn.LayerNorm(width)
            self.attn = LinearAttention(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if hasattr(self, "attn"):
            x = x + self.attn(self.norm(x))
        return x + self.conformer(x)


class ConvModule(nn.Module):
    """The convolution half of a conformer block (B, T, C): widen and gate, filter each channel in time, narrow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        turn = _Transpose()
        self.net = nn.Sequential(
            nn.LayerNorm(width),
            turn,
            nn.Conv1d(width, 4 * width, 1),
            nn.GLU(dim=1),
            _Depthwise(2 * width),
            nn.SiLU(),
            nn.Conv1d(2 * width, width, 1),
            turn,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class _Transpose(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mT


class _Depthwise(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 31, padding=15, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class LinearAttention(nn.Module):
    """Attention (B, T, C) at a cost linear in T: softmax replaced by random features (Performer, 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_DIM
        self.fast_attention = nn.Module()
        self.fast_attention.register_buffer(
            "projection_matrix", torch.zeros(int(HEAD_DIM * np.log(HEAD_DIM)), HEAD_DIM)
        )
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, inner) for _ in range(3))
        self.to_out = nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (to(x).unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2) for to in (self.to_q, self.to_k, self.to_v))
        q, k = self.features(q, is_query=True), self.features(k, is_query=False)  # (B, H, T, R)
        scale = 1 / (q @ k.sum(2)[..., None] + 1e-8)  # (B, H, T, 1)
        out = q @ (k.mT @ v) * scale
        return self.to_out(out.transpose(1, 2).flatten(2))

    def features(self, x: torch.Tensor, is_query: bool) -> torch.Tensor:
        """Positive random features whose products approximate exp(q · k / sqrt(d))."""
        matrix = self.fast_attention.projection_matrix
        x = x * HEAD_DIM**-0.25
        power = x @ matrix.T - (x**2).sum(-1, keepdim=True) / 2
        if is_query:
            phi = torch.exp(power - (x @ matrix.T).amax(-1, keepdim=True)) + 1e-4
        else:
            phi = torch.exp(power + 1e-4)
        return phi * matrix.shape[0] ** -0.5
