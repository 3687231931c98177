"""What each sampler costs and gives: how far its mels are from the true ones, against the number of network calls.

    python -m benchmarks.samplers [--flow FLOW] [--work WORK --model MODEL]

Lesson singers: a song is told by one singer's voice and sung by another's; the truth is that other's own singing of it
in the same manner. Shallow diffusion begins with the mel of the lesson voice, noised by 300 steps; `from noise` with
nothing. --flow: a rectified flow beside it. --work: the validation clips of a prepared folder instead, for models that
were trained on it, here of all songs but `row`; shallow then begins with the true mel:

    python -m benchmarks.train_lesson_diffusion WORK --held-out row --from-lesson --minutes 15    and again with --flow
    python -m benchmarks.samplers --work WORK --model DIFFUSION/model_N.pt --flow FLOW/model_N.pt

Distances are mean differences of log mels in nats where the truth is above -9. Writes out/samplers.json and
out/samplers.png.

Notebook: 04_train_diffusion
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import typer

from svcnb import audio, lesson, plots
from svcnb.checkpoint import load_diffusion
from svcnb.convert import Converter
from svcnb.diffuse import find_vocoder
from svcnb.models import rectified, samplers
from svcnb.models.diffusion import Unit2Mel
from svcnb.options import Options
from svcnb.training.diffusion_data import MelDataset, MelItem, stack

PAIRS = [("bruno", "mina"), ("clara", "tomas"), ("mina", "emil"), ("vera", "clara")]
CALLS = 2, 4, 8, 16, 32, 64
K_STEP, FLOOR = 300, -9.0
OUT = Path("out")


class Stretch(NamedTuple):
    """What a model is told of a few seconds, what it may begin with, and what should come out."""

    told: tuple[torch.Tensor, ...]  # units (1, T, D), f0 (1, T, 1), volume (1, T, 1), speaker (1,)
    start: torch.Tensor  # mel (1, T, M)
    true: torch.Tensor  # mel (1, T, M)


@torch.inference_mode()
def lesson_stretches(seconds: float) -> Iterator[Stretch]:
    """Some seconds of the held-out song for some pairs of singers."""
    converter = Converter.load(lesson.voice_path(), diffusion=lesson.diffusion_path(), device="cpu")
    length = int(seconds * lesson.RATE) // converter.hop * converter.hop
    mel = lambda wav: converter.diffusion.vocoder.mel(torch.from_numpy(wav)[None], lesson.RATE)
    column = lambda values: torch.from_numpy(np.asarray(values, np.float32))[None, :, None]
    for source, target in PAIRS:
        sung, truth = (
            wav[:length] for wav in (lesson.sing(source, "row")[0], lesson.sing(target, "row", manner=source)[0])
        )
        options = Options(semitones=lesson.semitones(source, target))
        units, f0 = converter.units_and_f0(sung, options)
        second, converter.diffusion = converter.diffusion, None
        voice = converter.sing(sung, lesson.RATE, converter.speaker_id(target), options)[0].astype(np.float32)
        converter.diffusion = second
        told = units.mT, column(f0.filled()), column(audio.volume(voice, converter.hop))
        yield Stretch((*told, torch.tensor([converter.speaker_id(target)])), mel(voice), mel(truth))


def recorded_stretches(work: Path, path: Path, seconds: float) -> Iterator[Stretch]:
    """Some seconds of validation clips of a prepared folder, as a model there is told of them."""
    _, config = load_diffusion(path)
    data = MelDataset(config, work, find_vocoder(config, beside=path.parent).mel, "val")
    frames = int(seconds * config.data.sampling_rate / config.data.block_size)
    for index in range(min(8, len(data.clips))):
        item = stack([MelItem(*(x[:frames] if x.dim() else x for x in data[index, ""]))])
        yield Stretch((item.units, item.f0, item.volume, item.speaker), item.mel, item.mel)


def curve(model: Unit2Mel, stretches: list[Stretch], sampler: str, shallow: bool) -> dict[int, float]:
    """Mean distance by the number of calls, as far as the sampler can be brought near to each of `CALLS`.

    DDPM leaves no step out.
    """
    k_step, found = min(K_STEP, model.k_step_max) if shallow else None, {}
    steps = k_step or model.k_step_max
    for calls in [steps] if sampler == "ddpm" else CALLS:
        speedup = max(1 + (calls < steps), steps // calls)
        try:
            count = model.calls(k_step, sampler, speedup)
        except ValueError:
            continue
        found[count] = float(np.mean([distance(model, stretch, sampler, k_step, speedup) for stretch in stretches]))
    return found


def distance(model: Unit2Mel, stretch: Stretch, sampler: str, k_step: int | None, speedup: int) -> float:
    start = None if k_step is None else stretch.start
    made = model(
        *stretch.told, source_mel=start, k_step=k_step, sampler=sampler, speedup=speedup,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    frames = min(made.shape[1], stretch.true.shape[1])
    made, true = made[:, :frames], stretch.true[:, :frames]
    return (made - true).abs()[true > FLOOR].mean().item()


def table(curves: dict[str, dict[int, float]]) -> str:
    lines = [f"{'calls':20}" + "".join(f"{calls:>8}" for calls in (*CALLS, "each"))]
    near = lambda curve, calls: next((d for n, d in curve.items() if abs(n - calls) <= 1 + calls / 8), np.nan)
    each = lambda curve: next((d for n, d in curve.items() if n > 2 * CALLS[-1]), np.nan)
    for name, curve in curves.items():
        lines.append(f"{name:20}" + "".join(f"{d:8.2f}" for d in [*(near(curve, n) for n in CALLS), each(curve)]))
    return "\n".join(lines)


def main(flow: Path | None = None, work: Path | None = None, model: Path | None = None, seconds: float = 4.0) -> None:
    """Measure, print, draw."""
    stretches = list(recorded_stretches(work, model, seconds) if work else lesson_stretches(seconds))
    network = load_diffusion(model or lesson.diffusion_path())[0]
    ways: list[tuple[str, Unit2Mel, Callable]] = [(name, network) for name in samplers.SAMPLERS]
    ways += [(f"flow, {name}", load_diffusion(flow)[0]) for name in rectified.SAMPLERS] if flow else []
    results = {}
    for title, shallow in {"shallow": True, "from noise": False}.items():
        curves = {name: curve(net, stretches, name.removeprefix("flow, "), shallow) for name, net in ways}
        results[title] = curves
        print(f"\n{title}\n{table(curves)}", flush=True)
    begun = float(np.mean([(s.start - s.true).abs()[s.true > FLOOR].mean() for s in stretches]))
    print(f"\nwhat shallow diffusion began with: {begun:.2f}")
    OUT.mkdir(exist_ok=True)
    (OUT / "samplers.json").write_text(json.dumps(results | {"begun with": begun}, indent=2) + "\n")
    plots.by_calls(results["shallow"], f"shallow, {K_STEP} steps").savefig(OUT / "samplers.png", dpi=120)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
