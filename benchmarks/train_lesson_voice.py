"""Train the lesson voice: six singers made of arithmetic, one So-VITS model of the `lesson` preset.

    python -m benchmarks.train_lesson_voice WORK --minutes 60

It can be stopped and run again; --base goes on from a trained voice. Every thousand steps it converts a held-out song
between singers and scores it against what the target singer really sings in the source's manner, beside a yardstick:
WORLD's resynthesis of the source at the target's pitch. --ship writes the model and its critic into the package,
--report scores all thirty pairs of the shipped voice. What was tried on the way: benchmarks/README.md.

Notebook: 03_train_sovits
"""

import time
from itertools import groupby, permutations
from pathlib import Path

import numpy as np
import soundfile
import torch
import typer
from safetensors.numpy import load_file, save_file
from scipy.signal import oaconvolve

from benchmarks.leading import led_copy, world
from svcnb import encoders, lesson
from svcnb.audio import resample
from svcnb.checkpoint import latest, load_base, load_sovits, save_discriminator, save_sovits
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.dataset import features_path
from svcnb.evaluate import compare
from svcnb.lesson.voices import random_singer
from svcnb.models.discriminators import Discriminator
from svcnb.prepare import prepare
from svcnb.training import train_sovits

HEAD = f"{'':18}{'cents':>7}{'voicing':>9}{'mel':>7}{'WORLD':>7}{'like target':>13}{'source':>8}"
SETTINGS = {"vol_jitter": 2.0}  # less than the preset's: two clips of three have another singer's loudness anyway
CONTINUED = {  # from a trained voice: every clip the way of conversion; decay per epoch
    "learning_rate": 4e-4, "lr_decay": 0.9, "disc_start": 2400, "prior_share": 1.0, "c_level": 40.0,
}  # fmt: skip
LAYOUT = (7, 1), (9, 3), (7, 2), (7, 2), (13, 2), (8, 2)  # width and digits of a column
PAIRS = [("bruno", "mina"), ("clara", "tomas"), ("mina", "emil"), ("vera", "clara")]


def main(
    work: Path, minutes: float = 60, base: Path | None = None, ship: bool = False, report: str | None = None
) -> None:
    """Train for some minutes, scoring on the way; or, with --report SONG, only score the shipped voice."""
    if report:
        return print(table(lesson.voice_path(), report, list(permutations(lesson.SINGERS, 2))))
    if not (work / "configs/config.json").exists():
        lesson.write_songs(work / "raw", songs=lesson.TRAIN_SONGS)
        write_moved(work / "raw")
        print(prepare(work / "raw", work, encoder="lesson", f0="fcpe", loudness="none", preset="lesson"), flush=True)
        furnish(work)
        lead(work)
    began, config = time.monotonic(), Config.load(work / "configs/config.json")
    config = config.copy_with(train=SETTINGS | (CONTINUED if base else {}))
    for step in train_sovits(work, config, base=base, device="cpu"):
        if step.saved:
            losses = " ".join(f"{name} {value:.2f}" for name, value in step.losses.items())
            print(f"step {step.step} {time.monotonic() - began:.0f} s  {losses}  val {step.scores}", flush=True)
            if step.step % 1000 == 0:
                print(table(step.saved), flush=True)
            if time.monotonic() - began > 60 * minutes:
                break
    if ship:
        package(work)


def write_moved(raw: Path) -> None:
    """Every training song once more by every singer, up to three semitones up or down: each vowel at more pitches."""
    for singer in lesson.SINGERS:
        for song in lesson.TRAIN_SONGS:
            wav = lesson.sing(singer, song, **_moved(singer, song))[0]
            soundfile.write(raw / singer / f"{song}_moved.wav", wav, lesson.RATE, "PCM_16")


def _moved(singer: str, song: str) -> dict:
    """How the second rendition of a song differs from the first."""
    keys, place = (-3, -2, -1, 1, 2, 3), list(lesson.SINGERS).index(singer) + lesson.TRAIN_SONGS.index(song)
    return {"transpose": keys[place % 6], "seed": 1}


def lead(work: Path, seed: int = 0) -> None:
    """Every training clip twice more, led by another: by a lesson singer, and by a stranger.

    Units and loudness are those of the other, who sings the same in the same manner.
    """
    rng, encoder, path = np.random.default_rng(seed), encoders.get("lesson", device="cpu"), work / "filelists/train.txt"
    clips, led = sorted(work / line for line in path.read_text().splitlines()), []
    for (singer, song), group in groupby(clips, lambda clip: (clip.parent.name, clip.stem.rsplit("_", 1)[0])):
        parts, raw = list(group), soundfile.read(work / f"raw/{singer}/{song}.wav", dtype="float32")[0]
        title = song.removesuffix("_moved")
        how = {"manner": singer} | (_moved(singer, title) if title != song else {})
        peer = str(rng.choice([name for name in lesson.SINGERS if name != singer]))
        for by, leader in (("peer", peer), ("stranger", random_singer(rng))):
            wav = lesson.sing(leader, title, **how)[0]
            led += [_led(part, wav, raw, encoder, by) for part in parts]
    path.write_text("".join(f"{clip.relative_to(work).as_posix()}\n" for clip in [*clips, *led]))


def _led(part: Path, wav: np.ndarray, raw: np.ndarray, encoder, by: str) -> Path:
    """A copy of a clip, led by what another sings at its place in the song."""
    own = soundfile.read(part, dtype="float32")[0]
    start = int(np.argmax(oaconvolve(raw, own[::-1], "valid")))  # where the clip was cut from
    return led_copy(part, by, wav[start : start + len(own)], lesson.RATE, encoder)


def furnish(work: Path, seed: int = 0) -> None:
    """Give two clips of three the units they would have in a quiet room: noise of its own colour, 50 to 75 dB down.

    Their sound stays clean. A voice that knows only digital silence answers the noise of a real room with sound.
    """
    rng, encoder = np.random.default_rng(seed), encoders.get("lesson", device="cpu")
    for path in sorted((work / "dataset").rglob("*.wav")):
        wav, rate = soundfile.read(path)
        shape = np.linspace(1e-3, 1, len(wav) // 2 + 1) ** rng.uniform(-0.8, 0)
        room = np.fft.irfft(np.fft.rfft(rng.standard_normal(len(wav))) * shape, len(wav))
        noisy = wav + room / room.std() * 10 ** (-rng.uniform(50, 75) / 20)
        if rng.random() < 2 / 3:
            features = load_file(features_path(path))
            units = encoder.units(resample(noisy, rate, 16000)).numpy()
            save_file({**features, "units": units.astype(features["units"].dtype)}, features_path(path))


def table(model: Path, song: str = "row", pairs=PAIRS) -> str:
    """Scores of conversions of a held-out song against the target's singing of it in the source's manner."""
    converter = Converter.load(model, device="cpu")
    lines, rows = [HEAD], []
    for source, target in pairs:
        sung, truth = lesson.sing(source, song)[0], lesson.sing(target, song, manner=source)[0]
        shift = lesson.semitones(source, target)
        made = converter.convert(sung, sample_rate=lesson.RATE, speaker=target, semitones=shift).audio
        scores, moved = compare(made, truth, sung, semitones=shift), compare(world(sung, lesson.RATE, shift), truth)
        rows.append([scores.f0_median_cents, scores.vuv_error, scores.mel_distance, moved.mel_distance,
                     scores.speaker_similarity, scores.speaker_similarity_source])  # fmt: skip
        lines.append(f"{source:>8} to {target:6}" + _numbers(rows[-1]))
    cents, _, mel, moved, to_target, to_source = np.array(rows).T
    return "\n".join([
        *lines, f"{'mean':>18}" + _numbers(np.mean(rows, 0)),
        f"under 10 cents: {np.sum(cents < 10)} of {len(rows)}; more like the target: {np.sum(to_target > to_source)}; "
        f"mel distance at most half of WORLD's: {np.sum(mel <= moved / 2)}",
    ])  # fmt: skip


def _numbers(row) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value, (width, digits) in zip(row, LAYOUT, strict=True))


def package(work: Path) -> None:
    """Write the newest model and its critic, in half precision, to where the package looks for them."""
    folder = work / "logs/44k"
    newest = latest(folder)
    model, config = load_sovits(newest)
    critic = Discriminator(config.model.use_spectral_norm, config.train.disc_width)
    load_base(newest.with_name(newest.name.replace("G_", "D_")), critic)
    save_sovits(lesson.voice_path(), model, config, half=True)
    save_discriminator(lesson.critic_path(), critic, config, half=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
