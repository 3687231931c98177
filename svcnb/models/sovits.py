"""So-VITS: a voice as a conditional variational autoencoder with a flow and a GAN decoder.

Training: a posterior encoder hears the true spectrum, the flow carries its latent to where a text-like encoder of the
units expects it, and the decoder turns a slice of the latent back into sound. Conversion runs the flow the other way:
units and pitch in, the speaker's latent out, then sound. Attribute names are those of the original's files.

Notebook: 03_train_sovits
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from svcnb.models import nsf_hifigan
from svcnb.models.attention import CausalStack, Encoder
from svcnb.models.flow import WN, residual_flow, transformer_flow
from svcnb.models.noise import normal, uniform
from svcnb.models.nsf_hifigan import Generator
from svcnb.models.pitch import BINS, coarse_f0, log_f0, log_f0_to_hz, normalize_log_f0

SINGING_NOISE = 0.4  # share of the prior's noise that conversion keeps


class Latent(NamedTuple):
    """A latent and the Gaussian it was drawn from, each (B, C, T)."""

    z: torch.Tensor
    m: torch.Tensor
    logs: torch.Tensor


class TrainOutput(NamedTuple):
    """What a training step compares."""

    audio: torch.Tensor  # (B, 1, segment): the decoded slice
    starts: torch.Tensor  # (B,): first frame of each slice
    mask: torch.Tensor  # (B, 1, T)
    z_p: torch.Tensor  # (B, C, T): posterior latent carried through the flow
    prior: Latent
    posterior: Latent
    pred_lf0: torch.Tensor | None  # (B, 1, T): predicted pitch, log_f0 scale
    norm_lf0: torch.Tensor | None
    lf0: torch.Tensor | None


def clear_start(model: "Sovits") -> None:
    """Start a small model so that it sings from the first steps: its decoder clear, the latents' noise quiet.

    From the usual start a short training hears nothing of the units through the noise.
    """
    nsf_hifigan.clear_start(model.dec)
    with torch.no_grad():
        model.enc_p.f0_emb.weight.mul_(0.3)  # so that pitch does not drown what is sung
        if model.emb_vol is not None:
            model.emb_vol.weight.mul_(20)  # singing is at about 0.05, and would not be heard beside the units
        for encoder in (model.enc_p, model.enc_q):
            encoder.proj.bias.chunk(2)[1].fill_(-1.0)


def frame_mask(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """(B, 1, T): 1 for the first `lengths[b]` frames."""
    return (torch.arange(frames, device=lengths.device) < lengths[:, None]).float().unsqueeze(1)


def slice_frames(x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """Cut x (B, ..., T) to `length` from each item's own start."""
    index = starts[:, None] + torch.arange(length, device=x.device)
    shape = (len(x), *[1] * (x.dim() - 2), length)
    return x.gather(-1, index.view(shape).expand(*x.shape[:-1], length))


class PriorEncoder(nn.Module):
    """Units and pitch to the latent they promise (the original's text encoder)."""

    def __init__(self, model):
        super().__init__()
        hidden = model.hidden_channels
        self.proj = nn.Conv1d(hidden, 2 * model.inter_channels, 1)
        self.f0_emb = nn.Embedding(BINS, hidden)
        self.enc_ = Encoder(
            hidden, model.filter_channels, model.n_heads, model.n_layers, model.kernel_size, model.p_dropout
        )

    def forward(self, x, mask, f0, noise_scale: float = 1.0, generator=None) -> Latent:
        """x (B, H, T), mask (B, 1, T), coarse f0 (B, T)."""
        x = self.enc_((x + self.f0_emb(f0).mT) * mask, mask)
        m, logs = (self.proj(x) * mask).chunk(2, dim=1)
        z = (m + normal(m.shape, m, generator) * logs.exp() * noise_scale) * mask
        return Latent(z, m, logs)


class PosteriorEncoder(nn.Module):
    """The true spectrum to its latent; training only."""

    def __init__(self, bins: int, model):
        super().__init__()
        hidden = model.hidden_channels
        self.pre = nn.Conv1d(bins, hidden, 1)
        self.enc = WN(hidden, 5, 1, 16, model.gin_channels, model.use_depthwise_conv)
        self.proj = nn.Conv1d(hidden, 2 * model.inter_channels, 1)

    def forward(self, spec, mask, g, generator=None) -> Latent:
        """spec (B, bins, T), mask (B, 1, T), speaker g (B, G, 1)."""
        x = self.enc(self.pre(spec) * mask, mask, g)
        m, logs = (self.proj(x) * mask).chunk(2, dim=1)
        z = (m + normal(m.shape, m, generator) * logs.exp()) * mask
        return Latent(z, m, logs)


class F0Decoder(nn.Module):
    """The melody a speaker would sing to these units, from a melody without its key."""

    def __init__(self, model):
        super().__init__()
        hidden = model.hidden_channels
        self.prenet = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.decoder = CausalStack(
            hidden, model.filter_channels, model.n_heads, model.n_layers, model.kernel_size, model.p_dropout
        )
        self.proj = nn.Conv1d(hidden, 1, 1)
        self.f0_prenet = nn.Conv1d(1, hidden, 3, padding=1)
        self.cond = nn.Conv1d(model.gin_channels, hidden, 1)

    def forward(self, x, norm_lf0, mask, g) -> torch.Tensor:
        """x (B, H, T), norm_lf0 (B, 1, T), mask (B, 1, T), speaker g (B, G, 1) to log F0 (B, 1, T).

        x is detached: learning to predict pitch does not change how units are read.
        """
        x = self.prenet(x.detach() + self.cond(g) + self.f0_prenet(norm_lf0)) * mask
        return self.proj(self.decoder(x, mask)) * mask


class Sovits(nn.Module):
    """The whole network, built from a Config (or anything with its `data`, `train` and `model` sections)."""

    def __init__(self, config):
        super().__init__()
        data, model = config.data, config.model
        if (hop := math.prod(model.upsample_rates)) != data.hop_length:
            raise ValueError(f"model.upsample_rates multiply to {hop}, but data.hop_length is {data.hop_length}.")
        self.segment_frames = config.train.segment_size // data.hop_length
        self.prior_share = config.train.prior_share
        hidden, gin = model.hidden_channels, model.gin_channels
        self.emb_g = nn.Embedding(model.n_speakers, gin)
        self.emb_vol = nn.Linear(1, hidden) if model.vol_embedding else None
        self.pre = nn.Conv1d(model.ssl_dim, hidden, 5, padding=2)
        self.enc_p = PriorEncoder(model)
        self.dec = Generator(model, model.inter_channels, gin, snake=model.vocoder_name == "nsf-snake-hifigan")
        self.enc_q = PosteriorEncoder(data.filter_length // 2 + 1, model)
        self.flow = (transformer_flow if model.use_transformer_flow else residual_flow)(model)
        self.f0_decoder = F0Decoder(model) if model.use_automatic_f0_prediction else None
        self.emb_uv = nn.Embedding(2, hidden)

    def _read(self, units, uv, volume, mask) -> torch.Tensor:
        """Units (B, D, T), voicing and loudness (B, T) as hidden frames (B, H, T)."""
        x = self.pre(units) * mask + self.emb_uv(uv.long()).mT
        if self.emb_vol is not None and volume is not None:
            x = x + self.emb_vol(volume.unsqueeze(-1)).mT
        return x

    def forward(self, units, f0, uv, spec, speaker, lengths, volume=None, generator=None) -> TrainOutput:
        """One training pass.

        units (B, D, T), f0 (B, T) in Hz, uv (B, T) with 1 = voiced, spec (B, bins, T), speaker (B,), lengths (B,) in
        frames, each at least `segment_frames`, volume (B, T).
        """
        g = self.emb_g(speaker).unsqueeze(-1)
        mask = frame_mask(lengths, units.shape[-1]).to(units.dtype)
        x = self._read(units, uv, volume, mask)
        lf0 = norm_lf0 = pred_lf0 = None
        if self.f0_decoder is not None:
            lf0 = log_f0(f0).unsqueeze(1)
            factor = 0.8 + 0.4 * uniform((len(f0), 1), generator).to(f0.device)
            norm_lf0 = normalize_log_f0(lf0, mask, uv, factor)
            pred_lf0 = self.f0_decoder(x, norm_lf0, mask, g)
        prior = self.enc_p(x, mask, coarse_f0(f0), generator=generator)
        posterior = self.enc_q(spec, mask, g, generator)
        z_p, z = self.flow(posterior.z, mask, g), posterior.z
        if sung := round(self.prior_share * len(z)):  # these items go the way of conversion
            z_s = prior.m + SINGING_NOISE * (prior.z - prior.m)
            z = torch.cat([self.flow(z_s[:sung], mask[:sung], g[:sung], reverse=True), z[sung:]])
        span = (lengths - self.segment_frames + 1).float()
        starts = (uniform(len(f0), generator).to(f0.device) * span).long()
        z = slice_frames(z, starts, self.segment_frames)
        audio = self.dec(z, slice_frames(f0, starts, self.segment_frames), g, generator)
        return TrainOutput(audio, starts, mask, z_p, prior, posterior, pred_lf0, norm_lf0, lf0)

    @torch.inference_mode()
    def infer(
        self,
        units,
        f0,
        uv,
        speaker=None,
        mix=None,
        volume=None,
        noise_scale=SINGING_NOISE,
        auto_f0=False,
        generator=None,
        frames=None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sing units (B, D, T) at pitch f0 (B, T) in Hz, uv (B, T) with 1 = voiced.

        The voice is a `speaker` (B,) or a `mix` (T, S) of weights of the first S speakers per frame. `volume` (B, T)
        counts for models with a volume embedding. `auto_f0` lets the model choose the pitch, if it can. `frames` is
        a slice of those that are wanted; others may be silent.
        Returns audio (B, 1, N) and the pitch used (B, T). Raises ValueError for a mix of the wrong shape.
        """
        g = self._voice(speaker, mix, units.shape[-1])
        mask = units.new_ones(len(units), 1, units.shape[-1])
        x = self._read(units, uv, volume, mask)
        if auto_f0 and self.f0_decoder is not None:
            norm_lf0 = normalize_log_f0(log_f0(f0).unsqueeze(1), mask, uv)
            f0 = log_f0_to_hz(self.f0_decoder(x, norm_lf0, mask, g)).squeeze(1)
        prior = self.enc_p(x, mask, coarse_f0(f0), noise_scale, generator)
        z = self.flow(prior.z, mask, g, reverse=True)
        return self.dec(z * mask, f0, g, generator, frames), f0

    def _voice(self, speaker, mix, frames: int) -> torch.Tensor:
        """Speaker embedding (B, G, 1), or the mix's (1, G, T)."""
        if mix is None:
            return self.emb_g(speaker).unsqueeze(-1)
        if mix.dim() != 2 or len(mix) != frames or mix.shape[1] > self.emb_g.num_embeddings:
            raise ValueError(
                f"A mix needs one row per frame and at most {self.emb_g.num_embeddings} speakers: "
                f"expected ({frames}, speakers), got {tuple(mix.shape)}."
            )
        return (mix @ self.emb_g.weight[: mix.shape[1]]).T.unsqueeze(0)
