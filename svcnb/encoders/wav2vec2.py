"""What HuBERT, WavLM and DPHuBERT share: convolutions that hear 25 ms of the wave, then a transformer over the frames.

Notebook: 02_features
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from svcnb.encoders.base import RATE, Encoder
from svcnb.quick import quicken

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)  # every released model has these


class Wav2Vec2(Encoder):
    """A network with `feature_extractor.conv_layers`, `feature_projection` and `encoder`, as transformers names them.

    projection: layer after the transformer. padding: zeros before and after the sound. normalize: the network hears
    sound of mean 0 and variance 1.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str = "auto",
        projection: nn.Linear | None = None,
        padding: int = 0,
        normalize: bool = False,
    ):
        super().__init__(network.config.hidden_size if projection is None else projection.out_features, device)
        self.network = quicken(network.to(self.device))
        self.projection = nn.Identity() if projection is None else projection.to(self.device)
        self.padding = padding
        self.normalize = normalize

    def condition(self, wav: torch.Tensor) -> torch.Tensor:
        """Normalise and pad a whole sound (N,)."""
        if self.normalize:
            wav = F.layer_norm(wav, wav.shape)
        return F.pad(wav, (self.padding, self.padding)) if self.padding else wav

    def survey(self, wav: torch.Tensor) -> torch.Tensor | None:
        """What a group norm after the first convolution must know of the whole sound: its `_products`."""
        first, block = self.network.feature_extractor.conv_layers[0], 30 * RATE  # block: a multiple of the stride
        if not _normalises_over_time(first):
            return None
        kernel, stride = first.conv.kernel_size[0], first.conv.stride[0]
        starts = range(0, len(wav) - kernel + 1, block)
        return sum(_products(_excerpts(first.conv, wav[i : i + block + kernel - stride])) for i in starts)

    def encode(self, wavs: list[torch.Tensor], survey: Any = None) -> list[torch.Tensor]:
        """Units (T, D) of sounds (N,): padding between sounds of different lengths changes nothing."""
        features = [self._features(wav, survey) for wav in wavs]
        lengths = torch.tensor([len(x) for x in features], device=self.device)
        mask = torch.arange(int(lengths.max()), device=self.device) < lengths[:, None]
        hidden = self.transform(pad_sequence(features, batch_first=True), None if mask.all() else mask)
        return [self.projection(x[:n]) for x, n in zip(hidden, lengths, strict=True)]

    def transform(self, features: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The part after the convolutions: (B, T, C) to (B, T, D); mask (B, T) is False where there is only padding."""
        hidden = self.network.feature_projection(features)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        return self.network.encoder(hidden, attention_mask=mask).last_hidden_state

    def _features(self, wav: torch.Tensor, survey: torch.Tensor | None) -> torch.Tensor:
        first, *rest = self.network.feature_extractor.conv_layers
        if _normalises_over_time(first):
            x = _convolve_and_normalise(first, _excerpts(first.conv, wav), survey)[None].mT
        else:
            x = first(wav[None, None])
        for layer in rest:
            x = layer(x)
        return x[0].T


def _normalises_over_time(layer: nn.Module) -> bool:
    return isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm)


def _excerpts(conv: nn.Conv1d, wav: torch.Tensor) -> torch.Tensor:
    """The samples (T, K) of a sound (N,) that the first convolution multiplies by its weights, frame by frame."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    return torch.stack([wav[k : wav.shape[0] - kernel + k + 1 : stride] for k in range(kernel)], 1)


def _products(excerpts: torch.Tensor) -> torch.Tensor:
    """Sums (K + 1, K + 1) of the products of all samples of an excerpt (T, K), and of 1, with each other."""
    x = F.pad(excerpts, (0, 1), value=1).double()
    return x.T @ x


def _convolve_and_normalise(layer: nn.Module, excerpts: torch.Tensor, products: torch.Tensor | None) -> torch.Tensor:
    """The first layer (T, C): products tell each channel's mean and variance, so the norm goes into the weights."""
    products = _products(excerpts) if products is None else products
    mean = products[-1, :-1] / products[-1, -1]
    covariance = products[:-1, :-1] / products[-1, -1] - mean[:, None] * mean
    weight, norm = layer.conv.weight[:, 0].double(), layer.layer_norm
    gain = norm.weight / ((weight @ covariance * weight).sum(1).clamp(min=0) + norm.eps).sqrt()
    weight, bias = gain[:, None] * weight, norm.bias - gain * (weight @ mean)
    return layer.activation(F.linear(excerpts, weight.float(), bias.float()))
