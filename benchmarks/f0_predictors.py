"""How well and how fast each pitch predictor hears singing whose pitch is known.

    python -m benchmarks.f0_predictors [names …] [--real FOLDER]

Twenty seconds of lesson singers, clean, and with noise, reverb and accompaniment added. Per predictor and condition:
`cents` median error where it and the truth are voiced; `gross` share of those frames over 50 cents off; `octave` share
over 600; `V/UV` share of all frames whose voicing is wrong; `right` share of the voiced frames that it calls voiced and
hits within 50 cents; `alike` gross errors over the frames that all predictors call voiced, so that none gains by
leaving out hard ones; `s/min` CPU seconds of one thread per minute of audio. `--real` adds recordings without truth:
distance from the median of the others. crepe takes most of the time. Writes out/f0_predictors.json.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from svcnb import audio, f0, registry
from svcnb.f0.errors import errors
from svcnb.files import write_whole
from svcnb.lesson import RATE, sing

HOP = 512
PHRASES = [("bruno", "brother"), ("tomas", "joy"), ("clara", "mary"), ("mina", "row")]
START, LENGTH = 1.0, 5.0  # s of each song
REAL = 3.0  # s of each recording
OUT = Path("out/f0_predictors.json")
NOISE_DB, WET_DB, LEAK_DB = -20, -6, -12  # power against the voice


def phrases(chosen=PHRASES) -> list[tuple[np.ndarray, np.ndarray]]:
    """Audio and its pitch per frame, 0 where unvoiced."""
    result = []
    first, last = round(START * RATE / HOP), round((START + LENGTH) * RATE / HOP)
    for singer, song in chosen:
        wav, truth = sing(singer, song)
        result.append((wav[first * HOP : last * HOP], np.where(truth.voiced, truth.f0, 0)[first:last]))
    return result


def noise(wav: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White noise added."""
    return at_level(rng.standard_normal(len(wav)), wav, NOISE_DB)


def reverb(wav: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room added: noise that decays by 60 dB in 1.2 s, and is darker the later."""
    seconds = np.arange(int(1.2 * RATE)) / RATE
    room = rng.standard_normal(len(seconds)) * 10 ** (-3 * seconds / 1.2) * (seconds > 0.015)
    room = np.convolve(room, np.hanning(9), "same")
    size = len(wav) + len(room)
    wet = np.fft.irfft(np.fft.rfft(wav, size) * np.fft.rfft(room, size), size)[: len(wav)]
    return at_level(wet, wav, WET_DB)


def accompaniment(wav: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Plucked chords and a bass added, as a separation leaves behind."""
    band, beat = np.zeros(len(wav)), int(0.6 * RATE)
    seconds = np.arange(2 * beat) / RATE
    for i, start in enumerate(range(0, len(wav), beat)):
        root = (48, 53, 55, 48)[i % 4]
        for note in (root - 12, root, root + 4, root + 7, root + 12):
            hz = 440 * 2 ** ((note - 69) / 12)
            tone = sum(np.sin(2 * np.pi * h * hz * seconds + rng.uniform(0, 6)) / h for h in range(1, 9))
            tone = tone * np.exp(-4 * seconds) * np.minimum(seconds / 0.005, 1)
            band[start : start + len(tone)] += tone[: len(wav) - start]
    return at_level(band, wav, LEAK_DB)


def at_level(added: np.ndarray, wav: np.ndarray, db: float) -> np.ndarray:
    return wav + added * np.sqrt(np.mean(wav**2) / np.mean(added**2)) * 10 ** (db / 20)


CONDITIONS = {"clean": lambda wav, rng: wav, "noise": noise, "reverb": reverb, "accompaniment": accompaniment}


def score(found: f0.F0, truth: np.ndarray) -> dict[str, float]:
    """Figures of one predictor over frames put end to end."""
    return vars(errors(found, truth))


def join(parts: list[f0.F0]) -> f0.F0:
    return f0.F0(np.concatenate([part.hz for part in parts]), np.concatenate([part.voiced for part in parts]))


def measure(predictor: f0.Predictor, clips: list[tuple[np.ndarray, np.ndarray]]) -> tuple[dict, dict[str, f0.F0]]:
    """Figures per condition, with the predictor's speed; and what it heard."""
    predictor(clips[0][0][:RATE])  # compiles and loads what is loaded on first use
    truth, results, heard = np.concatenate([truth for _, truth in clips]), {}, {}
    for condition, spoil in CONDITIONS.items():
        rng = np.random.default_rng(1)
        wavs = [spoil(wav, rng).astype(np.float32) for wav, _ in clips]
        start = time.process_time()
        found = heard[condition] = join([predictor(wav) for wav in wavs])
        seconds = time.process_time() - start
        results[condition] = score(found, truth) | {"seconds": seconds / sum(map(len, wavs)) * RATE * 60}
    return results, heard


def alike(heard: dict[str, dict[str, f0.F0]], truth: np.ndarray, condition: str) -> dict[str, float]:
    """Share of gross errors of each predictor over the frames that all of them call voiced."""
    voiced = np.all([curves[condition].voiced for curves in heard.values()], 0)
    same = lambda curve: f0.F0(np.where(voiced, curve.hz, 0), voiced)
    return {name: errors(same(curves[condition]), truth).gross for name, curves in heard.items()}


def recordings(folder: Path) -> list[np.ndarray]:
    """The beginnings of recordings (N,) without truth."""
    found = [audio.load(path, RATE)[0][: int(REAL * RATE)] for path in sorted(folder.glob("*/*.flac"))]
    return found or sys.exit(f"There is no <singer>/*.flac in {folder}.")


def apart(found: dict[str, f0.F0]) -> dict[str, dict[str, float]]:
    """Figures of each predictor against the median of the others, where most hear a voice; voted is no other."""
    result = {}
    for name, one in found.items():
        others = np.array([other.hz for n, other in found.items() if n not in (name, "voted")])
        voiced = np.mean(others > 0, 0) > 0.5
        median = np.zeros(len(voiced))
        median[voiced] = np.nanmedian(np.where(others > 0, others, np.nan)[:, voiced], 0)
        result[name] = score(one, median)
    return result


def mean(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Mean of each figure over the conditions."""
    first, *_ = rows.values()
    return {key: float(np.mean([row[key] for row in rows.values()])) for key in first}


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    columns = f"{'cents':>8}{'gross %':>9}{'octave %':>10}{'V/UV %':>8}{'right %':>9}{'alike %':>9}{'s/min':>8}"
    print(f"\n{title}\n{'':10}{columns}")
    for name, row in rows.items():
        shares = f"{row['cents']:8.1f}{100 * row['gross']:9.2f}{100 * row['octave']:10.2f}{100 * row['vuv']:8.1f}"
        shares += f"{100 * row['right']:9.2f}{100 * row.get('alike', float('nan')):9.2f}"
        print(f"{name:10}{shares}{row.get('seconds', float('nan')):8.1f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description="Accuracy and speed of the pitch predictors.")
    options.add_argument("names", nargs="*", default=[])
    options.add_argument("--real", type=Path, help="folder with <singer>/*.flac")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    clips, results, heard, on_real = phrases(), {}, {}, {}
    real = recordings(chosen.real) if chosen.real else []
    for name in chosen.names or f0.names():
        try:
            predictor = f0.get(name, RATE, HOP, device="cpu")
        except (f0.F0Error, registry.DownloadError) as error:
            print(f"{name} is left out: {error}")
            continue
        results[name], heard[name] = measure(predictor, clips)
        show("mean of the conditions", {name: mean(results[name])})
        if real:
            on_real[name] = join([predictor(wav) for wav in real])
    truth = np.concatenate([truth for _, truth in clips])
    for condition in CONDITIONS:
        for name, share in alike(heard, truth, condition).items():
            results[name][condition]["alike"] = share
        show(condition, {name: rows[condition] for name, rows in results.items()})
    show("mean of the conditions", {name: mean(rows) for name, rows in results.items()})
    report = {"lesson": results}
    if real:
        report["real"] = apart(on_real)
        show(f"{chosen.real}: distance from the median of the others", report["real"])
    write_whole(OUT, (json.dumps(report, indent=2) + "\n").encode())
    print(f"\nWritten: {OUT}")


if __name__ == "__main__":
    main()
