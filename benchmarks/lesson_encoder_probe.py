"""What the lesson encoder's units still hold, beside Whisper base: linear probes for word, singer and pitch.

    python -m benchmarks.lesson_encoder_probe [--whisper whisper-base-encoder.pt]

phoneme   a linear classifier learns from four lesson singers and the training songs, and is asked about the two others
          and the held-out songs: high is good
singer    a linear classifier learns the six singers from training songs and is asked on held-out songs: chance, 0.17,
          is best
F0        ridge regression of log F0 learnt from training songs: share of the variance explained on held-out songs
          (all singers together, and within a singer); low is good
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from svcnb import encoders
from svcnb.audio import resample
from svcnb.encoders.whisper import load as load_whisper
from svcnb.encoders.whisper import log_mel
from svcnb.lesson import HELD_OUT_SONGS, RATE, SINGERS, TRAIN_SONGS, sing
from svcnb.probes import accuracy, explained

HOP = RATE // 50
UNSEEN = ("clara", "tomas")  # singers that the phoneme probe has not heard


def recordings() -> list[dict]:
    """Every singer and song at 16 kHz with its truth, 50 frames a second, at the middle of each frame."""
    rows = []
    for number, singer in enumerate(SINGERS):
        for song in (*TRAIN_SONGS[::3], *HELD_OUT_SONGS):
            wav, truth = sing(singer, song, hop=HOP // 2)
            middle = {key: value[1::2] for key, value in vars(truth).items()}
            rows.append({"wav": resample(wav, RATE, 16000), "singer": number, "song": song, **middle})
    return rows


def probe(rows: list[dict], units: list[np.ndarray]) -> dict[str, float]:
    """Accuracies and shares of variance; units: (T, D) of every recording."""
    held = np.concatenate([np.full(len(u), r["song"] in HELD_OUT_SONGS) for r, u in zip(rows, units, strict=True)])
    who = np.concatenate([np.full(len(u), r["singer"]) for r, u in zip(rows, units, strict=True)])
    cut = lambda key: np.concatenate([r[key][: len(u)] for r, u in zip(rows, units, strict=True)])
    phone, voiced, pitch = cut("phone"), cut("voiced"), 12 * np.log2(cut("f0"))
    x = np.concatenate(units)
    unseen = np.isin(who, [list(SINGERS).index(name) for name in UNSEEN])
    learn = lambda y, a, b: accuracy(x[a][::5], y[a][::5], x[b], y[b])
    explain = lambda y: explained(x[~held & voiced], y[~held & voiced], x[held & voiced], y[held & voiced])
    own = np.array([pitch[voiced & (who == k)].mean() for k in range(len(SINGERS))])[who]
    return {
        "phoneme": learn(phone, ~held & ~unseen, held & unseen),
        "singer": learn(who, ~held & voiced, held & voiced),
        "F0": explain(pitch),
        "F0 within": explain(pitch - own),
    }


def whisper_layers(path: Path, wavs: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Units of blocks 4, 5 and 6, and after the final norm, for every sound of up to 30 s."""
    whisper = load_whisper(path, "cpu")
    network, layers = whisper.network, {}
    watched = {"whisper block 4": network.layers[3], "block 5": network.layers[4], "block 6": network.layers[5]}
    for name, module in {**watched, "final": network.layer_norm}.items():
        found = layers[name] = []
        module.register_forward_hook(lambda _, __, out, to=found: to.append(out[0] if type(out) is tuple else out))
    with torch.no_grad():
        for wav in wavs:
            network(log_mel(torch.from_numpy(wav))[None])
    cut = lambda units, wav: units[0, : len(wav) // 320].numpy()
    return {name: [cut(u, w) for u, w in zip(found, wavs, strict=True)] for name, found in layers.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", type=Path, help="OpenAI's base model, to compare with")
    parser.add_argument("--lesson", type=Path, help="other weights of the lesson encoder")
    options = parser.parse_args()
    rows = recordings()
    wavs = [row["wav"][: 30 * 16000] for row in rows]
    lesson = encoders.get("lesson", options.lesson, "cpu")
    tables = {"lesson": [lesson.units(wav).numpy() for wav in wavs]}
    if options.whisper:
        tables |= whisper_layers(options.whisper, wavs)
    print(f"{'units':<18}" + "".join(f"{key:>12}" for key in ("phoneme", "singer", "F0", "F0 within")))
    for name, units in tables.items():
        print(f"{name:<18}" + "".join(f"{value:12.3f}" for value in probe(rows, units).values()), flush=True)


if __name__ == "__main__":
    main()
