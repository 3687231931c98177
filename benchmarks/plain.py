"""The original's way of computing, to measure ours beside it: the same weights and results, step by step.

Weight norm at every call, convolutions over time as they are, the alias-free snake as padding and grouped convolutions,
a phase summed over every sample, attention with all its scores, critics that hear real and made one after the other, an
optimiser that takes one parameter at a time. Written from a description of what the original does, for stock torch.
"""

import copy
import math

import torch
from torch.nn import functional as F

from svcnb.config import Config
from svcnb.dataset import Batch
from svcnb.models import attention, discriminators, nsf_hifigan, snake
from svcnb.models.nsf_hifigan import AMPLITUDE, HARMONICS, NOISE
from svcnb.models.sovits import slice_frames
from svcnb.spectral import spec_to_mel, training_mel
from svcnb.training import losses
from svcnb.training.state import State


class SineSource(nsf_hifigan.SineSource):
    @torch.no_grad()
    def sines(self, f0, hop, start, noise):
        if self.smear:  # the mel vocoder sums its phase frame by frame, as ours does
            return super().sines(f0, hop, start, noise)
        f0, harmonics = f0.repeat_interleave(hop, 1)[..., None], torch.arange(1, HARMONICS + 1)
        step = f0 * harmonics / self.sampling_rate % 1
        step[:, 0] += start * (harmonics > 1)
        wraps = (step.cumsum(1) % 1).diff(dim=1) < 0
        phase = (step - F.pad(wraps.float(), (0, 0, 1, 0))).cumsum(1)
        voiced = (f0 > 0).float()
        sines = torch.sin(2 * math.pi * phase) * AMPLITUDE
        return sines * voiced + (voiced * NOISE + (1 - voiced) * AMPLITUDE / 3) * noise


class SnakeAlias(snake.SnakeAlias):
    def forward(self, x):
        taps = self.upsample.filter.expand(x.shape[1], -1, -1)
        x = 2 * F.conv_transpose1d(F.pad(x, (5, 5), mode="replicate"), taps, stride=2, groups=len(taps))[..., 15:-15]
        alpha, beta = self.act.alpha.exp()[:, None], self.act.beta.exp()[:, None]
        x = x + 1 / (beta + 1e-9) * torch.sin(x * alpha) ** 2
        taps = self.downsample.lowpass.filter.expand(x.shape[1], -1, -1)
        return F.conv1d(F.pad(x, (5, 6), mode="replicate"), taps, stride=2, groups=len(taps))


class Generator(nsf_hifigan.Generator):
    def _shape(self, x, source, g):
        x = self.conv_pre(x)
        if self.cond is not None:
            x = x + self.cond(g)
        for i, (act, up, noise_conv) in enumerate(zip(self.snakes, self.ups, self.noise_convs, strict=True)):
            x = up(act(x)) + noise_conv(source)
            x = sum(block(x) for block in self._stage(i)) / self.n_kernels
        return torch.tanh(self.conv_post(self.snake_post(x)))


class SelfAttention(attention.SelfAttention):
    def forward(self, x, mask=None):
        convs, frames = (self.conv_q, self.conv_k, self.conv_v), x.shape[-1]
        q, k, v = (conv(x).unflatten(1, (self.n_heads, -1)).transpose(2, 3) for conv in convs)
        q = q / math.sqrt(q.shape[-1])
        scores = q @ k.mT
        if self.window:
            scores = scores + _by_frame(q @ self._distances(self.emb_rel_k, frames).mT)
            seen = mask.unsqueeze(2) * mask.unsqueeze(3)
        else:
            seen = torch.ones(frames, frames).tril()
        p = F.dropout(scores.masked_fill(seen == 0, -1e4).softmax(-1), self.p_dropout, self.training)
        y = p @ v
        if self.window:
            y = y + _by_distance(p) @ self._distances(self.emb_rel_v, frames)
        return self.conv_o(y.transpose(2, 3).flatten(1, 2))

    def _distances(self, embedding, frames):
        """A vector for every distance from 1 - frames to frames - 1; zeros beyond the window."""
        more = frames - 1 - self.window
        return F.pad(embedding, (0, 0, more, more))


def _by_frame(x):
    """(…, T, 2T - 1) by distance to (…, T, T) by frame: row i begins at distance -i."""
    frames = x.shape[-2]
    x = F.pad(F.pad(x, (0, 1)).flatten(-2), (0, frames - 1))
    return x.unflatten(-1, (frames + 1, 2 * frames - 1))[..., :frames, frames - 1 :]


def _by_distance(x):
    """The way back, zeros where there is no frame."""
    frames = x.shape[-1]
    x = F.pad(F.pad(x, (0, frames - 1)).flatten(-2), (frames, 0))
    return x.unflatten(-1, (frames, 2 * frames))[..., 1:]


class Discriminator(discriminators.Discriminator):
    def forward(self, real, fake):
        return self.judge(real), self.judge(fake)


WAYS = {way.__mro__[1]: way for way in (SineSource, SnakeAlias, Generator, SelfAttention, Discriminator)}


def plain(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of a network, not yet made ready to sing, that computes in the original's way."""
    model = copy.deepcopy(model)
    for part in model.modules():
        part.__class__ = WAYS.get(type(part), type(part))
    return model


def plain_state(state: State, config: Config) -> State:
    """A copy of a training that is made in the original's way."""
    models, train = {name: plain(model) for name, model in state.models.items()}, config.train
    adam = lambda model: torch.optim.AdamW(model.parameters(), train.learning_rate, train.betas, train.eps)
    return State(models, {name: adam(model) for name, model in models.items()}, made_from={})


def train_step(state: State, batch: Batch, config: Config) -> tuple[dict[str, float], dict[str, float]]:
    """Losses and gradient norms of a training step in the original's way, in float32."""
    train, data = config.train, config.data
    generator, critics = (state.models[name] for name in ("generator", "discriminator"))
    bands = (data.sampling_rate, data.filter_length, data.n_mel_channels, data.mel_fmin, data.mel_fmax)
    mel, parts, norms = spec_to_mel(batch.spec, *bands), {}, {}
    out = generator(batch.units, batch.f0, batch.uv, batch.spec, batch.speaker, batch.lengths, batch.volume)
    mel = slice_frames(mel, out.starts, train.segment_size // data.hop_length)
    real = slice_frames(batch.wav, out.starts * data.hop_length, train.segment_size)
    heard = training_mel(out.audio.squeeze(1), data)

    parts["disc"] = losses.discriminator_loss(*critics(real, out.audio.detach()))
    norms["discriminator"] = _learn(critics, state.optimizers["discriminator"], parts["disc"])

    of_real, of_fake = critics(real, out.audio)
    parts["mel"] = F.l1_loss(heard, mel) * train.c_mel
    parts["kl"] = losses.kl_loss(out.z_p, out.posterior.logs, out.prior.m, out.prior.logs, out.mask) * train.c_kl
    if out.pred_lf0 is not None:
        parts["lf0"] = losses.lf0_loss(out)
    parts |= {"gen": losses.generator_loss(of_fake), "fm": losses.feature_loss(of_real, of_fake)}
    total = sum(value for name, value in parts.items() if name != "disc")
    norms["generator"] = _learn(generator, state.optimizers["generator"], total)
    return {name: value.item() for name, value in parts.items()}, norms


def _learn(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()
    norm = sum(p.grad.norm().item() ** 2 for p in model.parameters() if p.grad is not None) ** 0.5
    optimizer.step()
    return norm
