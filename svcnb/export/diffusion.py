"""Diffusion in four graphs and its vocoder in one: a host runs the sampler between them.

Condition, denoiser, one step of PNDM, and the way back to a mel are the parts that MoeVoiceStudio takes.

Notebook: 06_mixing_export
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from svcnb.export.graph import Case, ExportError, Parity, export_graph, gather_units, mel2ph, plain
from svcnb.export.sovits import GivenSource
from svcnb.models.diffusion import GaussianDiffusion, Unit2Mel
from svcnb.models.norms import fold_weight_norm
from svcnb.models.rectified import RectifiedFlow
from svcnb.models.samplers import transfer
from svcnb.models.vocoder import Vocoder

OPEN = {
    "hubert": (1,), "mel2ph": (1,), "f0": (1,), "volume": (1,), "spk_mix": (0,), "mel_pred": (2,), "noise": (3,),
    "condition": (2,), "noise_pred": (3,), "noise_pred_o": (3,), "x": (3,), "mel_out": (2,), "c": (2,), "audio": (2,),
    "source_noise": (1,), "wav": (1,), "mel": (2,),
}  # fmt: skip


def export_diffusion(
    model: Unit2Mel, folder: str | Path, name: str, speakers: Sequence[int] | None = None
) -> list[Parity]:
    """Write <name>_encoder, _denoise, _pred and _after.onnx, and compare each with the network at several lengths.

    encoder: units `hubert` (1, Tc, D), `mel2ph` (1, T), `f0` (1, T) in Hz, `volume` (1, T) and, of several speakers,
    shares `spk_mix` (T, S) of the `speakers` (None: all) to the condition `mel_pred` (1, H, T). denoise: `noise`
    (1, 1, M, T), a step `time` (1) and `condition` to `noise_pred` (1, 1, M, T). pred: `noise`, `noise_pred`, `time`
    and the step `time_prev` (1) to go to, to `noise_pred_o`, less noisy. after: `x` (1, 1, M, T) to the log mel
    `mel_out` (1, M, T).
    Raises ExportError, OSError.
    """
    if isinstance(model.decoder, RectifiedFlow):
        raise ExportError("A rectified flow has no steps of PNDM, which these graphs take; export a diffusion model.")
    model = plain(model)
    if model.spk_embed is not None and speakers is not None:
        model.spk_embed = nn.Embedding.from_pretrained(model.spk_embed.weight[list(speakers)])
    parts = {"encoder": _Condition(model), "denoise": _Denoise(model), "pred": _Step(model), "after": _After(model)}
    return [
        export_graph(part, Path(folder) / f"{name}_{end}.onnx", part.names, part.output, OPEN, part.case)
        for end, part in parts.items()
    ]


class _Condition(nn.Module):
    """What the denoiser is told."""

    output = "mel_pred"

    def __init__(self, model: Unit2Mel):
        super().__init__()
        self.model = model
        self.speakers = 0 if model.spk_embed is None else model.spk_embed.num_embeddings
        self.names = ("hubert", "mel2ph", "f0", "volume", *(["spk_mix"] if self.speakers else []))

    def forward(self, hubert, mel2ph, f0, volume, spk_mix=None):
        units = gather_units(hubert, mel2ph)
        return self.model.condition(units, f0.unsqueeze(-1), volume.unsqueeze(-1), mix=spk_mix)

    def case(self, frames: int, seed: int) -> Case:
        draw = torch.Generator().manual_seed(seed)
        units = torch.randn(1, frames * 2 // 3, self.model.unit_embed.in_features, generator=draw)
        f0, volume = 100 + 300 * torch.rand(1, frames, generator=draw), torch.rand(1, frames, generator=draw)
        mix = [torch.rand(frames, self.speakers, generator=draw).softmax(-1)] if self.speakers else []
        given = (units, mel2ph(frames, units.shape[1]), f0, volume, *mix)
        return given, self(*given)


class _Denoise(nn.Module):
    """The noise in a mel."""

    names, output = ("noise", "time", "condition"), "noise_pred"

    def __init__(self, model: Unit2Mel):
        super().__init__()
        self.network = model.decoder.denoise_fn
        self.mels, self.hidden = self.network.input_projection.in_channels, model.unit_embed.out_features

    def forward(self, noise, time, condition):
        return self.network(noise.squeeze(1), time, condition).unsqueeze(1)

    def case(self, frames: int, seed: int) -> Case:
        draw = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, 1, self.mels, frames, generator=draw)
        condition = torch.randn(1, self.hidden, frames, generator=draw)
        time = torch.tensor([50 * seed + 9])
        return (noise, time, condition), self.network(noise[:, 0], time.float(), condition)[:, None]


class _Step(nn.Module):
    """One step of PNDM, from how noisy a mel is at `time` to how noisy it is at `time_prev`."""

    names, output = ("noise", "noise_pred", "time", "time_prev"), "noise_pred_o"

    def __init__(self, model: Unit2Mel):
        super().__init__()
        self.mels, self.timesteps = model.decoder.denoise_fn.input_projection.in_channels, model.timesteps
        self.register_buffer("kept", model.decoder.alphas_cumprod)

    def forward(self, noise, noise_pred, time, time_prev):
        return transfer(noise, noise_pred, self.kept[time], self.kept[time_prev])

    def case(self, frames: int, seed: int) -> Case:
        draw = torch.Generator().manual_seed(seed)
        x, said = torch.randn(2, 1, 1, self.mels, frames, generator=draw)
        step = self.timesteps // (seed + 1) - 1
        before = max(0, step - 10)
        now, then = self.kept[[step, before]].tolist()
        return (x, said, torch.tensor([step]), torch.tensor([before])), transfer(x, said, now, then)


class _After(nn.Module):
    """The way back to a natural log mel."""

    names, output = ("x",), "mel_out"

    def __init__(self, model: Unit2Mel):
        super().__init__()
        self.decoder = GaussianDiffusion(nn.Identity(), model.timesteps)
        self.mels = model.decoder.denoise_fn.input_projection.in_channels

    def forward(self, x):
        return self.decoder.denorm(x.squeeze(1))

    def case(self, frames: int, seed: int) -> Case:
        x = torch.randn(1, 1, self.mels, frames, generator=torch.Generator().manual_seed(seed))
        return (x,), self.decoder.denorm(x[:, 0])


def export_vocoder(model: Vocoder, folder: str | Path, name: str = "vocoder") -> list[Parity]:
    """Write <name>.onnx and <name>_mel.onnx, and compare both with the vocoder at several lengths.

    The first takes a natural log mel `c` (1, M, T), `f0` (1, T) in Hz, and the sines' `phase` (1, 9) and `source_noise`
    (1, N, 9), to `audio` (1, 1, N); the second sound `wav` (1, N) at the vocoder's rate to its `mel` (1, M, T).
    Raises ExportError, OSError.
    """
    model = plain(model)
    parts = {name: _Voice(model), f"{name}_mel": _Mel(model)}
    return [
        export_graph(part, Path(folder) / f"{end}.onnx", part.names, part.output, OPEN, part.case)
        for end, part in parts.items()
    ]


class _Voice(nn.Module):
    """The vocoder with everything random handed in."""

    names, output = ("c", "f0", "phase", "source_noise"), "audio"

    def __init__(self, model: Vocoder):
        super().__init__()
        self.whole = [model]  # in a list, so that it is no part of the graph
        self.model = fold_weight_norm(copy.deepcopy(model))
        self.model.m_source = GivenSource(self.model.m_source)

    def forward(self, c, f0, phase, source_noise):
        return self.model(c.mT, f0, (phase, source_noise))

    def case(self, frames: int, seed: int) -> Case:
        draw, model = torch.Generator().manual_seed(seed), self.whole[0]
        f0 = 220 + 60 * torch.sin(torch.arange(frames) / 9)[None]
        f0[:, : frames // 5] = 0
        mel = torch.randn(1, model.n_mels, frames, generator=draw) - 5
        state = draw.get_state()
        given = model.m_source.draw(f0, model.hop, draw)
        expected = model(mel.mT, f0, draw.set_state(state))
        return (mel, f0, *given), expected


class _Mel(nn.Module):
    """The mel that the vocoder hears in a sound of its own rate."""

    names, output = ("wav",), "mel"

    def __init__(self, model: Vocoder):
        super().__init__()
        self.model = model

    def forward(self, wav):
        return self.model.analyse(wav, self.model.sampling_rate, 0)

    def case(self, frames: int, seed: int) -> Case:
        wav = 0.1 * torch.randn(1, frames * self.model.hop + 7, generator=torch.Generator().manual_seed(seed))
        return (wav,), self(wav)
