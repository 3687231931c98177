"""Conversion at full size: each part, and a whole song, in seconds per second of audio.

Random weights are as fast as trained ones. Beside it: how many times as fast as the original's way of computing on this
machine, `benchmarks.plain`, and as the original itself was on another: two cores that convolve 170 GFLOP/s.
"""

import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.plain import plain
from benchmarks.preparation import random_weights
from benchmarks.timing import Timing, take_turns
from svcnb import encoders, f0, lesson
from svcnb.checkpoint import new_vocoder
from svcnb.config import Config, DiffusionConfig, VocoderConfig
from svcnb.convert import Converter
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.norms import fold_weight_norm
from svcnb.models.ready import ready_to_sing
from svcnb.models.sovits import Sovits

FRAMES, LONG = 172, 689  # two seconds, and eight: as a slice of a song may be
ORIGINAL = {"So-VITS nsf": 0.414, "So-VITS snake": 1.22, "vocoder": 0.358}  # s per s
VOCODER = VocoderConfig(  # as the community's is built
    sampling_rate=44100, num_mels=128, n_fft=2048, hop_size=512, win_size=2048, fmin=40, fmax=16000, resblock="1",
    resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3, upsample_rates=[8, 8, 2, 2, 2],
    upsample_kernel_sizes=[16, 16, 4, 4, 4], upsample_initial_channel=512,
)  # fmt: skip
VOICES = {"nsf": "nsf-hifigan", "snake": "nsf-snake-hifigan"}


def voice(decoder: str, precision: str = "fp32") -> Sovits:
    """precision: of `ready_to_sing`, or "plain"."""
    model = Sovits(Config.preset("full").copy_with(model={"vocoder_name": VOICES[decoder]})).eval()
    return plain(model) if precision == "plain" else ready_to_sing(model, precision)


def parts(folder: Path) -> dict:
    """What to run, by name; each works on two seconds, what says so on eight."""
    config = Config.preset("full")
    seconds = FRAMES * config.data.hop_length / config.data.sampling_rate
    f0_row, units = torch.full((1, FRAMES), 220.0), torch.randn(1, config.model.ssl_dim, FRAMES)
    wav, _ = lesson.sing("tomas", "row")
    wav = wav[lesson.RATE : lesson.RATE + round(seconds * lesson.RATE)]
    encoder = encoders.get("vec768l12", folder / "hubert_base.pt", "cpu")
    heard = torch.from_numpy(wav[:: round(lesson.RATE / encoders.RATE)]).numpy()
    work = {
        "encoder, ContentVec": partial(encoder.units, heard),
        "F0, fcpe": partial(f0.get("fcpe", lesson.RATE, config.data.hop_length, device="cpu"), wav),
    }
    for name in VOICES:
        for precision in ("plain", "fp32", "bf16"):
            model = voice(name, precision)
            for frames, length in ((FRAMES, ""), (LONG, " of 8 s")):
                given = torch.randn(1, config.model.ssl_dim, frames), torch.full((1, frames), 220.0)
                work[f"So-VITS {name}{length}, {precision}"] = partial(
                    model.infer, *given, torch.ones(1, frames), torch.tensor([0])
                )
    mel, column = torch.randn(1, FRAMES, 128), f0_row[..., None]
    diffusion = Unit2Mel(DiffusionConfig.preset()).eval()
    first = {"speaker": torch.tensor([0]), "source_mel": mel, "k_step": 100}
    work["diffusion, 100 steps in 10 calls"] = partial(diffusion, units.mT, column, column / 1000, **first)
    work["vocoder, plain"] = partial(plain(fold_weight_norm(new_vocoder(VOCODER).eval())), mel, f0_row)
    for precision in ("fp32", "bf16"):
        vocoder = ready_to_sing(new_vocoder(VOCODER).eval(), precision)
        work[f"vocoder, {precision}"] = partial(vocoder, mel, f0_row)
    return {name: _quietly(run) for name, run in work.items()}


def full_size(folder: Path, decoder: str, precision: str) -> Converter:
    """A converter with a voice of random weights, which hears with the encoder in the folder."""
    encoder = encoders.get("vec768l12", folder / "hubert_base.pt", "cpu")
    return Converter(voice(decoder, precision), Config.preset("full", speakers=["one"]), encoder, "cpu")


def song(folder: Path, decoder: str, precision: str):
    """A whole conversion: silence, encoder, pitch, voice, joining."""
    converter = full_size(folder, decoder, precision)
    wav = lesson.sing("tomas", "row")[0][: 8 * lesson.RATE]
    return lambda: converter.convert(wav, lesson.RATE, "one"), len(wav) / lesson.RATE


def _quietly(run):
    def without_gradients():
        with torch.inference_mode():
            return run()

    return without_gradients


def times_as_fast(name: str, timings: dict[str, Timing], figures: dict[str, float], length: float = 1.0) -> dict:
    """As the same work in the original's way, and as the original's own figure for a unit of `length`."""
    what, seconds = name.rsplit(", ", 1)[0], timings[name].seconds
    slow = timings.get(f"{what}, plain")
    return {"plain": slow and slow.seconds / seconds, "figure": what in figures and figures[what] * length / seconds}


def measure() -> list[dict]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        random_weights(Path(folder))
        work, seconds = parts(Path(folder)), FRAMES * 512 / 44100
        lengths = {name: seconds * (LONG / FRAMES if " of 8 s" in name else 1) for name in work}
        for precision in ("fp32", "bf16"):
            name = f"a song, nsf, {precision}"
            work[name], lengths[name] = song(Path(folder), "nsf", precision)
        timings = take_turns(work, rounds=3)
        for name, timing in timings.items():
            rows.append(
                {"what": name, "value": timing.seconds / lengths[name], "unit": "s per s", "share": timing.share}
                | {"peak": timing.peak, **times_as_fast(name, timings, ORIGINAL, lengths[name])}
            )
    return rows
