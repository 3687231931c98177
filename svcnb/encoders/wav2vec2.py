"""What HuBERT, WavLM and DPHuBERT share: convolutions that hear 25 ms of the wave, then a transformer over the frames.

Notebook: 02_features
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from svcnb.encoders.base import RATE, Encoder

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
        self.network = network.to(self.device)
        self.projection = nn.Identity() if projection is None else projection.to(self.device)
        self.padding = padding
        self.normalize = normalize

    def condition(self, wav: torch.Tensor) -> torch.Tensor:
        """Normalise and pad a whole sound (N,)."""
        if self.normalize:
            wav = F.layer_norm(wav, wav.shape)
        return F.pad(wav, (self.padding, self.padding)) if self.padding else wav

    def survey(self, wav: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Mean and variance (C,) of the first convolution over the sound, by which a group norm normalises."""
        first = self.network.feature_extractor.conv_layers[0]
        return _moments(first.conv, wav) if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm) else None

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

    def _features(self, wav: torch.Tensor, survey: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        first, *rest = self.network.feature_extractor.conv_layers
        x = wav[None, None]
        if survey is None:
            x = first(x)
        else:
            norm = first.layer_norm
            x = first.activation(F.batch_norm(first.conv(x), *survey, norm.weight, norm.bias, eps=norm.eps))
        for layer in rest:
            x = layer(x)
        return x[0].T


def _moments(conv: nn.Conv1d, wav: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance (C,) of a convolution's output over a sound (N,), half a minute at a time."""
    kernel, stride, block = conv.kernel_size[0], conv.stride[0], 30 * RATE
    total = square = torch.zeros(conv.out_channels, dtype=torch.float64, device=wav.device)
    count = 0
    for start in range(0, len(wav) - kernel + 1, block):  # the block is a multiple of the stride
        x = conv(wav[None, None, start : start + block + kernel - stride])[0].double()
        total, square, count = total + x.sum(1), square + (x * x).sum(1), count + x.shape[1]
    mean = total / count
    return mean.float(), (square / count - mean * mean).clamp(min=0).float()
