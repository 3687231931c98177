"""What bfloat16 does to the sound: the lesson voice in both precisions, scored against each other and the true singer.

The yardstick: the same voice in float32 with other noise, which nobody hears as another.
"""

from svcnb import lesson
from svcnb.convert import Converter
from svcnb.evaluate import compare

SOURCE, TARGET, SONG = "emil", "clara", "vowels"
SCORES = {
    "f0_median_cents": "cents",
    "f0_rmse_cents": "cents",
    "mel_distance": "",
    "mcd": "dB",
    "timbre_similarity": "",
    "speaker_similarity": "",
}


def measure() -> list[dict]:
    wav, _ = lesson.sing(SOURCE, SONG)
    truth, _ = lesson.sing(TARGET, SONG, manner=SOURCE)
    ways = {"fp32": ("fp32", 1), "bf16": ("bf16", 1), "other noise": ("fp32", 2)}
    takes = {}
    for name, (precision, seed) in ways.items():
        converter = Converter.load(lesson.voice_path(), precision=precision, device="cpu")
        how = {"semitones": lesson.semitones(SOURCE, TARGET), "seed": seed}
        takes[name] = converter.convert(wav, lesson.RATE, TARGET, **how).audio
    pairs = [(name, "the singer", truth) for name in takes] + [
        (name, "fp32", takes["fp32"]) for name in ("bf16", "other noise")
    ]
    rows = []
    for made, beside, other in pairs:
        scores = compare(takes[made], other)
        for score, unit in SCORES.items():
            if (value := getattr(scores, score)) is not None:
                rows.append({"what": f"{made} beside {beside}: {score}", "value": value, "unit": unit})
    return rows
