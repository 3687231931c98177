"""How fast features are made, beside one clip at a time in the original's way, on the same cores.

    python -m benchmarks.preparation [encoder+predictor …] [--clips 12] [--rounds 2] [--no-diffusion]

The original's way: one process on all cores; for each clip sound, units, pitch (the predictor and its file read anew
for every clip), spectrogram, volume and two mels, each written to a file of its own. Ours: `prepare`, a process for
each core, batches of about one length, a file for each clip. Both have loaded their models and made a few clips before
time is taken; they take turns. Networks of the real sizes have random weights, which are as fast; fcpe is the
original's fcpe.pt there and the smaller network of torchfcpe here, each the usual one.
"""

import argparse
import os
import random
import re
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import torch

from svcnb import audio, encoders, f0, lesson
from svcnb.config import DataConfig
from svcnb.dataset import features_path
from svcnb.f0.fcpe import FcpeNet
from svcnb.f0.rmvpe import RmvpeNet
from svcnb.prepare.features import Recipe, Task, batches, extract
from svcnb.prepare.workers import Workers
from svcnb.spectral import NSF_HIFIGAN, spectrogram, vocoder_mel

PAIRS = ["vec768l12+rmvpe", "vec768l12+fcpe", "vec768l12+harvest", "lesson+fcpe"]  # the original's usual pair first
SECONDS = (5, 6, 7, 8, 10, 12)  # lengths of clips
FAIRSEQ = [  # transformers' names → fairseq's
    (r"^masked_spec_embed$", "mask_emb"),
    (r"^feature_projection\.layer_norm\.", "layer_norm."),
    (r"^feature_projection\.projection\.", "post_extract_proj."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.conv\.", r"\1.0."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.layer_norm\.", r"\1.2."),
    (r"^encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0$", "encoder.pos_conv.0.weight_g"),
    (r"^encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original1$", "encoder.pos_conv.0.weight_v"),
    (r"^encoder\.pos_conv_embed\.conv\.", "encoder.pos_conv.0."),
    (r"^(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"\.attention\.", ".self_attn."),
    (r"\.feed_forward\.intermediate_dense\.", ".fc1."),
    (r"\.feed_forward\.output_dense\.", ".fc2."),
]


def random_weights(folder: Path) -> None:
    """ContentVec, RMVPE and FCPE at their sizes, the first two where `svcnb.registry` looks for them."""
    from transformers import HubertConfig, HubertModel

    state = HubertModel(HubertConfig()).state_dict()
    for pattern, name in FAIRSEQ:
        state = {re.sub(pattern, name, key): value for key, value in state.items()}
    torch.save({"model": state}, folder / "hubert_base.pt")
    torch.save({"model": RmvpeNet(5, 4, 4, width=16).state_dict()}, folder / "rmvpe.pt")
    fcpe = FcpeNet(layers=6, width=512, bins=360, attention=True).state_dict()
    weight = fcpe.pop("dense_out.weight")
    fcpe |= {"dense_out.weight_g": weight.norm(dim=1, keepdim=True), "dense_out.weight_v": weight}
    torch.save({"model": fcpe}, folder / "fcpe.pt")


def sing_clips(folder: Path, count: int) -> list[Path]:
    """Lesson songs, cut."""
    song = np.concatenate([lesson.sing(singer, "row")[0] for singer in ("tomas", "clara")])
    paths, lengths = [], [SECONDS[i % len(SECONDS)] for i in range(count)]
    for i, seconds in enumerate(lengths):
        paths.append(folder / f"{i}.wav")
        audio.save(paths[-1], np.resize(np.roll(song, -i * lesson.RATE), seconds * lesson.RATE), lesson.RATE)
    return paths


def original_way(clip: Path, encoder: encoders.Encoder, predictor: str, diffusion: bool) -> None:
    """The features of one clip, one after another, each in a file."""
    data = DataConfig()
    wav, _ = librosa.load(clip, sr=data.sampling_rate)
    units = encoder.units(librosa.resample(wav, orig_sr=data.sampling_rate, target_sr=encoders.RATE))
    torch.save(units.T[None], f"{clip}.soft.pt")
    path = clip.with_name("fcpe.pt") if predictor == "fcpe" else None
    pitch = f0.get(predictor, data.sampling_rate, data.hop_length, path=path, original=True)(wav)
    np.save(f"{clip}.f0.npy", np.array([pitch.filled(), pitch.voiced], object))
    sound = torch.from_numpy(wav)[None]
    torch.save(
        spectrogram(sound, data.filter_length, data.hop_length, data.win_length)[0], clip.with_suffix(".spec.pt")
    )
    if diffusion:
        gain, semitones = 10 ** random.uniform(-1, 0), random.uniform(-5, 5)
        np.save(f"{clip}.vol.npy", audio.volume(wav, data.hop_length))
        np.save(f"{clip}.mel.npy", vocoder_mel(sound, **NSF_HIFIGAN)[0].T)
        np.save(f"{clip}.aug_mel.npy", vocoder_mel(sound * gain, **NSF_HIFIGAN, semitones=semitones)[0].T)
        np.save(f"{clip}.aug_vol.npy", audio.volume(wav * gain, data.hop_length))


def seconds_of(work, clips: list[Path]) -> float:
    start = time.perf_counter()
    work(clips)
    return time.perf_counter() - start


def compare(encoder: str, predictor: str, clips: list[Path], rounds: int, diffusion: bool) -> dict[str, float]:
    """Seconds for all clips, the best of some rounds: the original's way, ours, ours in half precision."""
    heard = encoders.get(encoder, device="cpu")
    lengths = {clip: audio.open_sound(clip).frames / lesson.RATE for clip in clips}
    ways = {"original": lambda clips: [original_way(clip, heard, predictor, diffusion) for clip in clips]}
    with Workers(torch.get_num_threads()) as one, Workers(torch.get_num_threads()) as other:
        for name, half, workers in (("ours", False, one), ("half", True, other)):
            recipe = Recipe.of(encoder, None, predictor, DataConfig(), half, diffusion)

            def make(clips: list[Path], recipe=recipe, workers=workers) -> None:
                tasks = [Task(clip, lengths[clip], clip.name, recipe) for clip in clips]
                parts = batches(tasks, workers.processes)
                assert not any(problem for _, problem in workers.run_batches(extract, parts))

            ways[name] = make
        for way in ways.values():
            way(clips[:4])
        turns = [{name: seconds_of(way, clips) for name, way in ways.items()} for _ in range(rounds)]
        return {name: min(turn[name] for turn in turns) for name in ways}


def error_of_half(encoder: str, clip: Path) -> float:
    """Root mean square difference of units in half precision, as a share of their spread."""
    wav, heard = audio.load(clip, encoders.RATE)[0], encoders.get(encoder, device="cpu")
    exact = heard.units(wav)
    heard.half = True
    return float((heard.units(wav) - exact).square().mean().sqrt() / exact.std())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("pairs", nargs="*", default=PAIRS, help="encoder+predictor")
    options.add_argument("--clips", type=int, default=12)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--no-diffusion", action="store_true", help="neither volume nor mels")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SVCNB_HOME"] = folder
        random_weights(Path(folder))
        clips = sing_clips(Path(folder), chosen.clips)
        minutes = sum(audio.open_sound(clip).frames for clip in clips) / lesson.RATE / 60
        print(f"{len(clips)} clips, {minutes:.1f} minutes, {torch.get_num_threads()} cores; seconds a minute of audio")
        print(f"{'':24}{'original':>9}{'ours':>8}{'ratio':>7}{'half':>8}{'ratio':>7}{'its error':>11}")
        for pair in chosen.pairs:
            encoder, predictor = pair.split("+")
            took = compare(encoder, predictor, clips, chosen.rounds, not chosen.no_diffusion)
            ratios = [took["original"] / took[name] for name in ("ours", "half")]
            print(
                f"{pair:24}{took['original'] / minutes:9.1f}{took['ours'] / minutes:8.1f}{ratios[0]:7.2f}"
                f"{took['half'] / minutes:8.1f}{ratios[1]:7.2f}{error_of_half(encoder, clips[0]):11.2%}",
                flush=True,
            )
            for clip in clips:
                features_path(clip).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
