"""How fast features are made, beside one clip at a time in the original's way, on the same cores.

    python -m benchmarks.preparation [predictor …] [--clips 6] [--rounds 2]

The original's way: one process; for each clip ContentVec in transformers' plain
HuBERT, the predictor built and its file read anew, resampling by kaiser_best, spectrogram, volume and two mels each
computed by themselves and written to a file of their own. Ours: the batches of `prepare --spectra`, in float32 and with
`--half`. Both have loaded what they load once; they take turns. Networks of the real sizes have random weights, which
are as fast; fcpe is the original's fcpe.pt there and the smaller network of torchfcpe here, each the usual one.

Wall seconds, ours with a process for each core. With OMP_NUM_THREADS=1 the processor's own seconds of one thread for
both, which other work on the machine hardly touches: the ratio is then that of the work, not of how it is spread.
"""

import argparse
import os
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
from transformers import HubertConfig, HubertModel

from benchmarks.timing import seconds_of
from svcnb import audio, encoders, f0, lesson
from svcnb.config import DataConfig
from svcnb.dataset import features_path
from svcnb.f0.fcpe import FcpeNet
from svcnb.f0.predictor import Predictor
from svcnb.f0.rmvpe import Rmvpe, RmvpeNet
from svcnb.prepare.features import Recipe, Task, batches, extract
from svcnb.prepare.workers import Workers
from svcnb.spectral import NSF_HIFIGAN, spectrogram, vocoder_mel

ENCODER, PREDICTORS = "vec768l12", ["rmvpe", "fcpe"]  # the original's usual encoder and predictor first
SECONDS = (5, 12, 7, 8, 6, 10)  # lengths of clips
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


def random_weights(folder: Path) -> HubertModel:
    """ContentVec, RMVPE and FCPE at their sizes, the first two where `svcnb.registry` looks for them."""
    hubert = HubertModel(HubertConfig()).eval()
    state = hubert.state_dict()
    for pattern, name in FAIRSEQ:
        state = {re.sub(pattern, name, key): value for key, value in state.items()}
    torch.save({"model": state}, folder / "hubert_base.pt")
    torch.save({"model": RmvpeNet(5, 4, 4, width=16).state_dict()}, folder / "rmvpe.pt")
    fcpe = FcpeNet(layers=6, width=512, bins=360, attention=True).state_dict()
    weight = fcpe.pop("dense_out.weight")
    fcpe |= {"dense_out.weight_g": weight.norm(dim=1, keepdim=True), "dense_out.weight_v": weight}
    torch.save({"model": fcpe}, folder / "fcpe.pt")
    return hubert


def sing_clips(folder: Path, count: int) -> list[Path]:
    """Lesson songs, cut."""
    song = np.concatenate([lesson.sing(singer, "row")[0] for singer in ("tomas", "clara")])
    paths, lengths = [], [SECONDS[i % len(SECONDS)] for i in range(count)]
    for i, seconds in enumerate(lengths):
        paths.append(folder / f"{i}.wav")
        audio.save(paths[-1], np.resize(np.roll(song, -i * lesson.RATE), seconds * lesson.RATE), lesson.RATE)
    return paths


class PlainRmvpe(Rmvpe):
    """RMVPE layer by layer as it was trained, a batch norm after every convolution."""

    def load(self) -> torch.nn.Module:
        net = RmvpeNet()
        net.load_state_dict(torch.load(self.path, weights_only=True)["model"])
        return net


def predictor_of(name: str, folder: Path) -> Predictor:
    """A predictor as the original has it for each clip, its file read."""
    rate, hop = DataConfig().sampling_rate, DataConfig().hop_length
    if name == "rmvpe":
        return PlainRmvpe(rate, hop, path=folder / "rmvpe.pt", original=True)
    return f0.get(name, rate, hop, path=folder / "fcpe.pt" if name == "fcpe" else None, original=True)


@torch.no_grad()
def original_way(clip: Path, hubert: HubertModel, predictor: str) -> None:
    """The features of one clip, one after another, each in a file."""
    data = DataConfig()
    wav, _ = librosa.load(clip, sr=data.sampling_rate)
    heard = librosa.resample(wav, orig_sr=data.sampling_rate, target_sr=encoders.RATE, res_type="kaiser_best")
    torch.save(hubert(torch.from_numpy(heard)[None]).last_hidden_state.mT, f"{clip}.soft.pt")
    pitch = predictor_of(predictor, clip.parent)(wav)
    np.save(f"{clip}.f0.npy", np.array([pitch.filled(), pitch.voiced], object))
    sound = torch.from_numpy(wav)[None]
    spec = spectrogram(sound, data.filter_length, data.hop_length, data.win_length)[0]
    torch.save(spec, clip.with_suffix(".spec.pt"))
    gain, semitones = 10 ** random.uniform(-1, 0), random.uniform(-5, 5)
    np.save(f"{clip}.vol.npy", audio.volume(wav, data.hop_length))
    np.save(f"{clip}.mel.npy", vocoder_mel(sound, **NSF_HIFIGAN)[0].T)
    np.save(f"{clip}.aug_mel.npy", vocoder_mel(sound * gain, **NSF_HIFIGAN, semitones=semitones)[0].T)
    np.save(f"{clip}.aug_vol.npy", audio.volume(wav * gain, data.hop_length))


def our_way(predictor: str, half: bool, workers: Workers) -> Callable[[list[Path]], None]:
    """What `prepare` does with clips that have been cut."""
    recipe = Recipe.of(ENCODER, None, predictor, DataConfig(), half, spectra=True)

    def make(clips: list[Path]) -> None:
        tasks = [Task(clip, audio.open_sound(clip).frames / lesson.RATE, clip.name, recipe) for clip in clips]
        problems = [problem for _, problem in workers.run_batches(extract, batches(tasks, workers.processes))]
        assert not any(problems), problems

    return make


def compare(predictor: str, hubert: HubertModel, clips: list[Path], rounds: int) -> dict[str, float]:
    """Seconds for all clips, the best of some rounds: the original's way, ours, ours in half precision."""
    cores = torch.get_num_threads()
    with Workers(cores) as one, Workers(cores) as other:
        ways = {
            "original": lambda clips: [original_way(clip, hubert, predictor) for clip in clips],
            "ours": our_way(predictor, False, one),
            "half": our_way(predictor, True, other),
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, way in ways.items():
                way(clips[-2 * cores :])  # whoever has not loaded his models does so now
                best[name] = min(best[name], seconds_of(lambda way=way: way(clips)))
        return best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("predictors", nargs="*", default=PREDICTORS)
    options.add_argument("--clips", type=int, default=len(SECONDS))
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SVCNB_HOME"] = folder
        hubert, clips = random_weights(Path(folder)), sing_clips(Path(folder), chosen.clips)
        minutes = sum(audio.open_sound(clip).frames for clip in clips) / lesson.RATE / 60
        cores = torch.get_num_threads()
        kind = "the processor's seconds, one thread" if cores == 1 else f"wall seconds, {cores} cores"
        print(f"{len(clips)} clips, {minutes:.1f} minutes; {kind}, for a minute of audio")
        print(f"{'':18}{'original':>9}{'ours':>8}{'ratio':>8}{'half':>8}{'ratio':>8}", flush=True)
        for predictor in chosen.predictors:
            took = compare(predictor, hubert, clips, chosen.rounds)
            original, ours, half = (took[way] / minutes for way in ("original", "ours", "half"))
            row = f"{original:9.1f}{ours:8.1f}{original / ours:6.2f} ×{half:8.1f}{original / half:6.2f} ×"
            print(f"{ENCODER}+{predictor:<8}{row}", flush=True)
            for clip in clips:
                features_path(clip).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
