"""What training minimises. Everything here computes in float32.

Notebook: 03_train_sovits
"""

import torch
from torch.nn import functional as F

from svcnb.models.discriminators import Verdicts
from svcnb.models.sovits import TrainOutput
from svcnb.spectral import band_power, spectrogram

LOUDNESS = 1024, 512, 1e-7  # samples: window, hop; power that is as good as silence
BANDS = 24  # of a mel, in which loudness is compared
RESOLUTIONS = (512, 128), (1024, 256), (2048, 512)  # samples: window, hop


def discriminator_loss(real: Verdicts, fake: Verdicts) -> torch.Tensor:
    """Least squares: real should score 1, fake 0."""
    return sum(
        ((1 - r.float()) ** 2).mean() + (f.float() ** 2).mean() for r, f in zip(real.scores, fake.scores, strict=True)
    )


def generator_loss(fake: Verdicts) -> torch.Tensor:
    """Least squares: the generator wants its sound to score 1."""
    return sum(((1 - f.float()) ** 2).mean() for f in fake.scores)


def feature_loss(real: Verdicts, fake: Verdicts) -> torch.Tensor:
    """Distance of what the critics' layers hear in real and in fake, times 2."""
    pairs = ((r, f) for rs, fs in zip(real.maps, fake.maps, strict=True) for r, f in zip(rs, fs, strict=True))
    return 2 * sum((r.detach().float() - f.float()).abs().mean() for r, f in pairs)


def kl_loss(z_p, logs_q, m_p, logs_p, mask) -> torch.Tensor:
    """Divergence of posterior and prior in nats per frame, summed over channels; (B, C, T), mask (B, 1, T)."""
    z_p, logs_q, m_p, logs_p, mask = (x.float() for x in (z_p, logs_q, m_p, logs_p, mask))
    kl = logs_p - logs_q - 0.5 + 0.5 * (z_p - m_p) ** 2 * torch.exp(-2 * logs_p)
    return (kl * mask).sum() / mask.sum()


def lf0_loss(out: TrainOutput) -> torch.Tensor:
    """Mean squared error of the predicted pitch, on the log F0 scale."""
    return F.mse_loss(out.pred_lf0.float(), out.lf0.float())


def multi_resolution_loss(audio: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Distance of magnitudes, and of their logarithms, at three resolutions (Engel et al. 2020); (B, N) each."""
    total = 0.0
    for window, hop in RESOLUTIONS:
        y, t = spectrogram(audio, window, hop, window), spectrogram(target, window, hop, window)
        total = total + (t - y).abs().mean() + (t.log() - y.log()).abs().mean()
    return total / len(RESOLUTIONS)


def loudness_loss(audio: torch.Tensor, target: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """How far short-time power is from the target's, as a whole and in 24 mel bands; (B, N) each, `sample_rate` in Hz.

    A loud note lives in one or two bands of a mel and weighs little there: without this it comes out too soft, and
    without the bands its formants do.
    """
    window, hop, silence = LOUDNESS
    whole = lambda x: x.unfold(-1, window, hop).square().mean(-1).add(silence).log()
    bands = lambda x: band_power(x, sample_rate, window, hop, BANDS).add(silence).log()
    return _divergence(whole(audio), whole(target)) + _divergence(bands(audio), bands(target))


def _divergence(level: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Divergence of powers, given as logarithms, in their proportion (Itakura and Saito 1968).

    Where the power can only be guessed, the best guess is its mean; by a distance of logarithms it would be the median,
    and a song of medians is too soft. From e times the power on the loss grows evenly: a late note is no explosion.
    """
    lacking = wanted - level
    ratio = lacking.clamp(max=1).exp() * (1 + (lacking - 1).clamp(min=0))
    return (ratio - lacking - 1).mean()
