"""Diffusion: a mel made out of noise, or made better, for the units, pitch and loudness of a song and for a speaker.

Training adds noise to mels and asks the denoiser which. Sampling begins with noise, or with the mel of another model
noised up to some step (shallow diffusion), and takes the noise away step by step. How much noise a step has, and what
exactly the denoiser is asked, is up to `noising` (the original's way) or `rectified`. Attribute names are those of the
original's files.

Notebook: 04_train_diffusion
"""

import torch
from torch import nn

from svcnb.models.noise import normal
from svcnb.models.noising import GaussianDiffusion
from svcnb.models.rectified import RectifiedFlow
from svcnb.models.wavenet import WaveNet


class Unit2Mel(nn.Module):
    """The whole network, built from a DiffusionConfig (or anything with its `data` and `model` sections).

    mels: bands of the vocoder that the model is for.
    """

    def __init__(self, config, mels: int = 128):
        super().__init__()
        model, hidden = config.model, config.model.n_hidden
        self.mels, self.timesteps = mels, model.timesteps
        limited = 0 < model.k_step_max < model.timesteps
        self.k_step_max = model.k_step_max if limited else model.timesteps
        self.unit_embed = nn.Linear(config.data.encoder_out_channels, hidden)
        self.f0_embed = nn.Linear(1, hidden)
        self.volume_embed = nn.Linear(1, hidden)
        self.aug_shift_embed = nn.Linear(1, hidden, bias=False) if model.use_pitch_aug else None
        self.spk_embed = nn.Embedding(model.n_spk, hidden) if model.n_spk > 1 else None
        denoiser = WaveNet(mels, model.n_layers, model.n_chans, hidden)
        way = RectifiedFlow if model.type == "RectifiedFlow" else GaussianDiffusion
        self.decoder = way(denoiser, model.timesteps, self.k_step_max)

    def condition(self, units, f0, volume, speaker=None, mix=None, semitones=None) -> torch.Tensor:
        """What the denoiser is told (B, H, T). Arguments as for `forward`.

        semitones (B,): by how much the sound was shifted, pitch and formants, to have more of it to learn from.
        Raises ValueError for a mix of the wrong shape, and where a model of several speakers is given none.
        """
        x = self.unit_embed(units) + self.f0_embed(torch.log1p(f0 / 700)) + self.volume_embed(volume)
        if self.spk_embed is not None:
            x = x + self._voice(speaker, mix, units.shape[1])
        if self.aug_shift_embed is not None and semitones is not None:
            x = x + self.aug_shift_embed(semitones.view(-1, 1, 1) / 5)
        return x.mT

    def _voice(self, speaker, mix, frames: int) -> torch.Tensor:
        """Speaker embedding (B, 1, H), or the mix's (1 or T, H)."""
        known = self.spk_embed.num_embeddings
        if mix is not None:
            if mix.dim() != 2 or len(mix) not in (1, frames) or mix.shape[1] > known:
                raise ValueError(
                    f"A mix needs one row, or one per frame, and at most {known} speakers: "
                    f"expected ({frames}, speakers), got {tuple(mix.shape)}."
                )
            return mix @ self.spk_embed.weight[: mix.shape[1]]
        if speaker is None:
            raise ValueError(f"This model has {known} speakers; say which one, or how to mix them.")
        return self.spk_embed(speaker.view(-1, 1))

    def calls(self, k_step: int | None = None, sampler: str = "unipc", speedup: int = 10) -> int:
        """How many calls of the denoiser a mel takes, from noise or from a mel noised by k_step steps.

        Raises ValueError for steps that the model was not trained on, too few of them for the speedup, and a sampler
        that is not for this kind of model.
        """
        if k_step is None and self.k_step_max < self.timesteps:
            raise ValueError(
                f"This model was trained on the last {self.k_step_max} of {self.timesteps} steps to a clean mel, "
                "so it cannot begin with noise; give it a source_mel."
            )
        if k_step is not None and not 1 <= k_step <= self.k_step_max:
            raise ValueError(f"k_step is {k_step}, but this model was trained on 1 to {self.k_step_max} steps.")
        return self.decoder.calls(self.k_step_max if k_step is None else k_step, sampler, speedup)

    def loss(self, units, f0, volume, mel, speaker=None, semitones=None, generator=None) -> torch.Tensor:
        """One training pass: how well the denoiser tells random noise at a random step of each mel (B, T, M), a scalar.

        The other arguments are as for `condition`.
        """
        condition = self.condition(units, f0, volume, speaker, semitones=semitones)
        step = self.decoder.draw_steps(len(mel), mel.device, generator)
        noise = normal(mel.mT.shape, mel, generator)
        return self.decoder.loss(mel.mT, condition, step, noise)

    @torch.inference_mode()
    def forward(
        self,
        units,
        f0,
        volume,
        speaker=None,
        mix=None,
        source_mel=None,
        k_step=None,
        sampler="unipc",
        speedup=10,
        generator=None,
    ) -> torch.Tensor:
        """A natural log mel (B, T, M) for units (B, T, D), f0 (B, T, 1) in Hz and volume (B, T, 1).

        The voice is a `speaker` (B,), counted from 0, or a `mix` (T or 1, S) of weights of the first S speakers.
        source_mel (B, T, M): begin with this mel, noised by `k_step` steps (None: all that the model was trained on);
        without it begin with noise, for which k_step has no meaning. speedup: steps per network call; in diffusion 1
        takes every step, as DDPM does, whichever sampler is named. Raises ValueError as `calls` does.
        """
        start = None if source_mel is None else source_mel.mT
        self.calls(None if start is None else self.decoder.steps(start, k_step), sampler, speedup)
        condition = self.condition(units, f0, volume, speaker, mix)
        return self.decoder.sample(condition, start, k_step, sampler, speedup, generator).mT
