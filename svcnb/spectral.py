"""Spectra and mels: the two conventions of the system, each named once; differentiable, on any device.

The So-VITS networks and losses use `spectrogram` and `training_mel`, the diffusion and its vocoder use `vocoder_mel`.
They differ in padding, in the floor under the square root, in bands and in range.

Notebook: 02_features
"""

from functools import lru_cache

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from svcnb.config import DataConfig

# what the community's vocoder hears, and with it nearly every diffusion model: settings of `vocoder_mel`
NSF_HIFIGAN = dict(sample_rate=44100, n_fft=2048, hop=512, win=2048, n_mels=128, fmin=40, fmax=16000)


def spectrogram(wav: Tensor, n_fft: int, hop: int, win: int) -> Tensor:
    """Magnitudes of wav (B, N): (B, n_fft // 2 + 1, N // hop), computed in float32 or better.

    Raises ValueError for sound of less than about one window.
    """
    edge = (n_fft - hop) // 2
    if wav.shape[-1] <= edge:
        raise ValueError(f"A spectrum of {n_fft} samples needs more than {edge} samples of sound, not {wav.shape[-1]}.")
    padded = pad(_exact(wav), (edge, edge), mode="reflect")
    return _magnitude(padded, n_fft, hop, win, floor=1e-6).to(wav.dtype)


def spec_to_mel(spec: Tensor, sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> Tensor:
    """Natural logarithm of the mel bands of magnitudes (B, n_fft // 2 + 1, F): (B, n_mels, F)."""
    exact = _exact(spec)
    basis = _mel_basis(sample_rate, n_fft, n_mels, fmin, fmax, exact.device, exact.dtype)
    with torch.autocast(spec.device.type, enabled=False):
        return (basis @ exact).clamp(min=1e-5).log().to(spec.dtype)


def band_power(wav: Tensor, sample_rate: int, n_fft: int, hop: int, n_bands: int) -> Tensor:
    """Short-time power of wav (B, N) in mel bands that add up to about its mean square: (B, n_bands, N // hop)."""
    exact = _exact(wav)
    basis = _mel_basis(sample_rate, n_fft, n_bands, 0.0, None, exact.device, exact.dtype, norm=None)
    scale = 2 / (n_fft * _hann(n_fft, exact.device, exact.dtype).square().sum())
    with torch.autocast(wav.device.type, enabled=False):
        return basis @ spectrogram(exact, n_fft, hop, n_fft).square() * scale


def training_mel(wav: Tensor, data: DataConfig) -> Tensor:
    """The log mel of the So-VITS losses, with the settings of config.json: (B, N) to (B, n_mel_channels, F)."""
    spec = spectrogram(wav, data.filter_length, data.hop_length, data.win_length)
    return spec_to_mel(spec, data.sampling_rate, data.filter_length, data.n_mel_channels, data.mel_fmin, data.mel_fmax)


def vocoder_mel(
    wav: Tensor,
    sample_rate: int,
    n_fft: int,
    hop: int,
    win: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    semitones: float = 0.0,
    speed: float = 1.0,
) -> Tensor:
    """The log mel of NSF-HiFiGAN and the diffusion: wav (B, N) to (B, n_mels, F), about N / hop frames.

    `semitones` moves pitch and formants up by stretching the window, `speed` above 1 gives fewer frames.
    """
    bins, factor = n_fft // 2 + 1, 2 ** (semitones / 12)
    n_fft_new, win_new, hop_new = round(n_fft * factor), round(win * factor), round(hop * speed)
    left = (win_new - hop_new) // 2
    right = max((win_new - hop_new + 1) // 2, win_new - wav.shape[-1] - left)
    mode = "reflect" if max(left, right) < wav.shape[-1] else "constant"
    spec = _magnitude(pad(_exact(wav), (left, right), mode=mode), n_fft_new, hop_new, win_new, floor=1e-9)
    if semitones:
        spec = pad(spec, (0, 0, 0, max(0, bins - spec.shape[1])))[:, :bins] * (win / win_new)
    return spec_to_mel(spec, sample_rate, n_fft, n_mels, fmin, fmax).to(wav.dtype)


def resample(wav: Tensor, rate: int, to: int) -> Tensor:
    """wav (B, N) at another rate, (B, ceil(N * to / rate)), by the windowed sinc of the vocoder's makers."""
    if rate == to:
        return wav
    from torchaudio.functional import resample as windowed_sinc  # slow to import, and rarely needed

    return windowed_sinc(wav, rate, to, lowpass_filter_width=128)


def _magnitude(wav: Tensor, n_fft: int, hop: int, win: int, floor: float) -> Tensor:
    window = _hann(win, wav.device, wav.dtype)
    spec = torch.stft(wav, n_fft, hop, win, window, center=False, return_complex=True)
    return (torch.view_as_real(spec).square().sum(-1) + floor).sqrt()


def _exact(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


@lru_cache(maxsize=32)
def _hann(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # a tensor born in inference mode could not be used in training
        return torch.hann_window(length, device=device, dtype=dtype)


@lru_cache(maxsize=32)
def _mel_basis(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    device: torch.device,
    dtype: torch.dtype,
    norm: str | None = "slaney",
) -> Tensor:
    basis = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, norm=norm, dtype=np.float64
    )
    with torch.inference_mode(False):
        return torch.as_tensor(basis, device=device, dtype=dtype)
