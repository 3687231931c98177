"""Train a voice on recordings, from the lesson voice, on one core; convert a song it never heard between all singers.

    python -m benchmarks.recorded_singers RAW WORK --shifts shifts.json --encoder-path whisper-base.pt --minutes 75
    python -m benchmarks.recorded_singers RAW FINER … --minutes 30 --base WORK/logs/44k/G_3000.safetensors

RAW/<singer>/<song>.flac or .wav; the held-out song is in each singer's folder and is not trained on. --shifts is a JSON
of {"pairs": {source: {target: {"k": semitones}}}}; without it, the difference of the singers' median pitches. The
conversions are WORK/converted/<source>_to_<target>.wav, and a table compares each with the target's own recording.
Each clip is there three times more, led by itself in another body; those of a singer whom the voice has trouble with,
named by --often, are listed three times. --base: an earlier run's G_*.safetensors, its critics beside it, to refine.
"""

import json
import shutil
import time
from itertools import permutations
from pathlib import Path

import numpy as np
import soundfile
import typer

from benchmarks.leading import in_another_body, led_copy
from svcnb import encoders, lesson
from svcnb.checkpoint import latest
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.prepare import prepare
from svcnb.training import train_sovits

FROM_LESSON = {  # no critics at first: other units, other singers
    "learning_rate": 5e-4, "lr_decay": 0.996, "disc_start": 1400, "ema_decay": 0.99, "eval_interval": 200,
    "prior_share": 1.0, "vol_jitter": 2.0,
}  # fmt: skip
CONTINUED = FROM_LESSON | {  # from an earlier run's voice: critics at once, heard twice as loud, while the rate falls
    "learning_rate": 2.8e-4, "lr_decay": 0.972, "disc_start": 0, "c_gen": 2.0, "c_fm": 2.0,
}  # fmt: skip
COPIES = 3  # of a clip, each in another body


def main(
    raw: Path, work: Path, held_out: str = "row", shifts: Path | None = None, minutes: float = 60,
    encoder: str = "whisper-ppg-base", encoder_path: Path | None = None, volume: bool = True,
    base: Path | None = None, often: str | None = None,
) -> None:  # fmt: skip
    """Prepare, train for some minutes, convert and print the table; run again, it goes on."""
    songs = {path.parent.name: path for path in sorted(raw.glob(f"*/{held_out}.*"))}
    if not (work / "configs/config.json").exists():
        shutil.copytree(raw, work / "raw", ignore=lambda _, names: [n for n in names if Path(n).stem == held_out])
        print(prepare(work / "raw", work, encoder, "fcpe", "none", "lesson", volume, encoder_path))
        lead_by_themselves(work, encoders.get(encoder, device="cpu", path=encoder_path), often)
    config = Config.load(work / "configs/config.json")
    settings = (CONTINUED if base else FROM_LESSON) | {"vol_aug": volume}
    config = config.copy_with(train=settings, model={"vol_embedding": volume})
    began = time.monotonic()
    for step in train_sovits(work, config, base=base or lesson.voice_path(), device="cpu"):
        if step.saved:
            losses = " ".join(f"{name} {value:.2f}" for name, value in step.losses.items())
            print(f"step {step.step} {time.monotonic() - began:.0f} s  {losses}  val {step.scores}", flush=True)
            if time.monotonic() - began > 60 * minutes:
                break
    semitones = json.loads(shifts.read_text())["pairs"] if shifts else {}
    convert_all(work, songs, semitones, encoder_path)


def lead_by_themselves(work: Path, encoder, often: str | None, seed: int = 0) -> None:
    """List every clip, the held-out song being the check, and copies led by itself in other bodies."""
    rng, train, check = np.random.default_rng(seed), *(work / f"filelists/{name}.txt" for name in ("train", "val"))
    clips = [work / line for line in (train.read_text() + check.read_text()).split("\n") if line]
    led = []
    for clip in clips:
        wav, rate = soundfile.read(clip, dtype="float32")
        led += [led_copy(clip, f"itself_{n}", in_another_body(wav, rate, rng), rate, encoder) for n in range(COPIES)]
    lines = [clip.relative_to(work).as_posix() for clip in [*clips, *led]]
    train.write_text("\n".join(lines + 2 * [line for line in lines if f"/{often}/" in line]) + "\n")


def convert_all(work: Path, songs: dict[str, Path], semitones: dict, encoder_path: Path | None) -> None:
    """Every song to every singer, and a table of scores."""
    converter = Converter.load(latest(work / "logs/44k"), device="cpu", encoder_path=encoder_path)
    (work / "converted").mkdir(exist_ok=True)
    rows = []
    print(f"{'':28}{'cents':>8}{'voicing':>9}{'mel':>7}{'like target':>13}{'source':>8}")
    for source, target in permutations(songs, 2):
        shift = semitones[source][target]["k"] if semitones else 0
        made = converter.convert(songs[source], speaker=target, semitones=shift)
        path = work / f"converted/{source}_to_{target}.wav"
        made.save(path)
        got = compare(path, songs[target], songs[source], semitones=shift)
        rows.append([got.f0_median_cents, got.vuv_error, got.mel_distance, got.speaker_similarity,
                     got.speaker_similarity_source])  # fmt: skip
        print(f"{source + ' to ' + target:28}{rows[-1][0]:8.1f}{rows[-1][1]:9.3f}{rows[-1][2]:7.2f}"
              f"{rows[-1][3]:13.2f}{rows[-1][4]:8.2f}", flush=True)  # fmt: skip
    print("mean" + " " * 24 + "{:8.1f}{:9.3f}{:7.2f}{:13.2f}{:8.2f}".format(*np.mean(rows, 0)))


if __name__ == "__main__":
    typer.run(main)
