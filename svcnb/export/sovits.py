"""So-VITS as one graph: units, pitch and noise in, sound out.

Notebook: 06_mixing_export
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from svcnb.export.graph import (
    LENGTHS,
    Case,
    Parity,
    compared,
    export_graph,
    gather_units,
    mel2ph,
    plain,
    run,
    session,
    write_graph,
)
from svcnb.models.noise import normal
from svcnb.models.norms import fold_weight_norm
from svcnb.models.pitch import coarse_f0
from svcnb.models.sovits import SINGING_NOISE, Sovits

OPEN = {
    "c": (1,), "f0": (1,), "mel2ph": (1,), "uv": (1,), "noise": (2,), "source_noise": (1,), "vol": (1,), "audio": (2,),
}  # fmt: skip
DRAWN = slice(6, 8)  # where among the inputs `phase` and `source_noise` are


def export_onnx(
    model: Sovits, path: str | Path, speaker_mix: bool = False, speakers: Sequence[int] | None = None
) -> Parity:
    """Write a voice as ONNX and compare it with the network, as conversion runs it, at several lengths.

    Inputs: units `c` (1, Tc, D) with `mel2ph` (1, T) saying which of them each frame hears, counted from 1, 0 being
    silence; `f0` (1, T) in Hz; `uv` (1, T); `noise` (1, C, T), already multiplied by the noise scale; the voice `sid`,
    a number (1,) or, with speaker_mix, shares (T, S) of the `speakers` (None: all); the sines' `phase` (1, 9) and
    `source_noise` (1, N, 9); `vol` (1, T) where the model wants loudness. Output: `audio` (1, 1, N).
    Raises ExportError, OSError.
    """
    graph = SovitsGraph(model, speaker_mix, speakers)
    opened = {**OPEN, "sid": (0,)} if speaker_mix else OPEN
    return export_graph(graph, path, graph.names, "audio", opened, graph.case)


def export_drawing(model: Sovits, path: str | Path, speaker_mix: bool, speakers: Sequence[int] | None = None) -> Parity:
    """The same without `phase` and `source_noise`, which the graph draws anew in each run, as MoeVoiceStudio expects.

    For the comparison the graph is made to tell what it drew, and the network gets the same. Raises ExportError,
    OSError.
    """
    graph = SovitsGraph(model, speaker_mix, speakers)
    drawing, path, results = _Drawing(graph), Path(path), {}
    given = {frames: drawing.inputs(graph.case(frames, seed)[0]) for seed, frames in enumerate(LENGTHS)}
    opened = {**OPEN, "sid": (0,)} if speaker_mix else OPEN
    write_graph(drawing, path, drawing.names, "audio", opened, given[LENGTHS[0]])
    telling = session(_telling(path))
    for frames, values in given.items():
        audio, *drawn = run(telling, drawing.names, values)
        with torch.no_grad():
            expected = graph(*values[: DRAWN.start], *map(torch.from_numpy, drawn), *values[DRAWN.start :])
        results[frames] = audio, expected
    return compared(path, drawing.names, results)


class SovitsGraph(nn.Module):
    """A So-VITS as ONNX sees it: everything random comes in, the voice is a number or a mix."""

    def __init__(self, model: Sovits, speaker_mix: bool, speakers: Sequence[int] | None = None):
        super().__init__()
        self.model = plain(model)
        self.whole = [copy.deepcopy(self.model)]  # in a list, so that it is no part of the graph
        fold_weight_norm(self.model)
        self.model.dec.m_source = GivenSource(self.model.dec.m_source)
        self.numbers = list(range(model.emb_g.num_embeddings) if speakers is None else speakers)
        self.register_buffer("table", self.model.emb_g.weight[self.numbers])
        self.speaker_mix, self.volume = speaker_mix, model.emb_vol is not None
        self.names = ("c", "f0", "mel2ph", "uv", "noise", "sid", "phase", "source_noise", *["vol"] * self.volume)

    def forward(self, c, f0, mel2ph, uv, noise, sid, phase, source_noise, vol=None):
        model = self.model
        g = (sid @ self.table).T.unsqueeze(0) if self.speaker_mix else model.emb_g(sid).unsqueeze(-1)
        mask = torch.ones_like(f0).unsqueeze(1)
        x = model._read(gather_units(c, mel2ph).mT, uv, vol, mask)
        prior = model.enc_p(x, mask, coarse_f0(f0), 0.0)
        z = model.flow(prior.m + noise * prior.logs.exp(), mask, g, reverse=True)
        return model.dec(z, f0, g, (phase, source_noise))

    def case(self, frames: int, seed: int) -> Case:
        """Inputs of some length, and what the network's own conversion makes of them with the same noise."""
        rest, draw = torch.Generator().manual_seed(seed + 1000), torch.Generator().manual_seed(seed)
        model, heard = self.whole[0], frames * 2 // 3
        units = torch.randn(1, heard, model.pre.in_channels, generator=rest)
        f0 = 220 + 60 * torch.sin(torch.arange(frames) / 9)[None]
        f0[:, : frames // 5] = 0
        place, voiced = mel2ph(frames, heard), (f0 > 0).float()
        volume = torch.rand(1, frames, generator=rest) if self.volume else None
        sid, voice = self._voice(frames, rest)
        latent = SINGING_NOISE * normal((1, model.enc_p.proj.out_channels // 2, frames), f0, draw)
        given = model.dec.m_source.draw(f0, model.dec.hop, draw)
        expected = model.infer(
            gather_units(units, place).mT, f0, voiced, volume=volume, generator=draw.manual_seed(seed), **voice
        )[0]
        return (units, f0, place, voiced, latent, sid, *given, *([volume] if self.volume else [])), expected

    def _voice(self, frames: int, generator: torch.Generator) -> tuple[torch.Tensor, dict]:
        """A voice for a case: as `sid`, and as the network wants it."""
        if not self.speaker_mix:
            sid = torch.tensor([self.numbers[-1]])
            return sid, {"speaker": sid}
        shares = torch.rand(frames, len(self.numbers), generator=generator)
        shares = shares / shares.sum(1, keepdim=True)
        mix = torch.zeros(frames, self.whole[0].emb_g.num_embeddings)
        mix[:, self.numbers] = shares
        return shares, {"mix": mix}


class GivenSource(nn.Module):
    """A sine source that is handed its phases and noise in the place of a generator."""

    def __init__(self, source: nn.Module):
        super().__init__()
        self.source = source

    def forward(self, f0, hop, given):
        return torch.tanh(self.source.l_linear(self.source.sines(f0, hop, *given))).mT


class _Drawing(nn.Module):
    """The graph's network, with the sines' phases and noise drawn inside."""

    def __init__(self, graph: SovitsGraph):
        super().__init__()
        self.graph = graph
        self.names = self.inputs(graph.names)

    @staticmethod
    def inputs(values: tuple) -> tuple:
        """The graph's inputs without those that are drawn."""
        return (*values[: DRAWN.start], *values[DRAWN.stop :])

    def forward(self, c, f0, mel2ph, uv, noise, sid, *vol):
        dec = self.graph.model.dec
        return self.graph(c, f0, mel2ph, uv, noise, sid, *dec.m_source.source.draw(f0, dec.hop), *vol)


def _telling(path: Path) -> bytes:
    """The graph in a file, with all that it draws as further outputs: uniform, then normal."""
    import onnx

    model = onnx.load(path)
    random = [node for node in model.graph.node if node.op_type.startswith("Random")]
    for node in sorted(random, key=lambda node: "Normal" in node.op_type):
        model.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None))
    return model.SerializeToString()
