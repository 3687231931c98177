"""One training step at full size: batch 1, 200 frames, in the original's way, in float32 and bfloat16."""

from functools import partial

import torch

from benchmarks import plain
from benchmarks.inference import VOICES, times_as_fast
from benchmarks.timing import take_turns
from svcnb.config import Config
from svcnb.dataset import Batch
from svcnb.training.loop import accelerator
from svcnb.training.sovits import new_state, train_step

FRAMES = 200
ORIGINAL = {"training step, nsf": 2.29, "training step, snake": 2.91}  # s, on two cores at 170 GFLOP/s


def batch(config: Config, frames: int = FRAMES, size: int = 1) -> Batch:
    """Noise, as long as a clip."""
    draw = partial(torch.rand, generator=torch.Generator().manual_seed(0))
    hop, bins = config.data.hop_length, config.data.filter_length // 2 + 1
    return Batch(
        units=draw(size, config.model.ssl_dim, frames),
        f0=200 + 100 * draw(size, frames),
        uv=torch.ones(size, frames),
        spec=draw(size, bins, frames),
        wav=0.2 * draw(size, 1, frames * hop),
        speaker=torch.zeros(size, dtype=torch.long),
        lengths=torch.full((size,), frames),
        volume=None,
    )


def measure() -> list[dict]:
    rows = []
    for name, decoder in VOICES.items():
        config = Config.preset("full").copy_with(model={"vocoder_name": decoder})
        state, clip = new_state(config, accelerator("fp32", "cpu")), batch(config)
        work = {
            f"training step, {name}, plain": partial(plain.train_step, plain.plain_state(state, config), clip, config)
        }
        for precision in ("fp32", "bf16"):
            acc = accelerator(precision, "cpu")
            work[f"training step, {name}, {precision}"] = partial(train_step, state, clip, config, acc)
        timings = take_turns(work, rounds=3)
        for row, timing in timings.items():
            rows.append(
                {"what": row, "value": timing.seconds, "unit": "s", "share": timing.share, "peak": timing.peak}
                | times_as_fast(row, timings, ORIGINAL)
            )
    return rows
