"""An exported voice beside PyTorch: seconds per second of song, in turns, and how alike the two results are.

The lesson voice, alone and with its diffusion model after it, sings eight seconds. The noise differs, so the distance
is to be held against that of two songs of PyTorch with different noise.
"""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.timing import take_turns
from svcnb import lesson
from svcnb.convert import Converter
from svcnb.evaluate import compare
from svcnb.export import export_voice
from svcnb.portable import Portable

SECONDS, SPEAKER, SEMITONES = 8, "tomas", lesson.semitones("clara", "tomas")
VOICES = {
    "lesson voice": {},
    "and diffusion": {"diffusion": lesson.diffusion_path(), "vocoder": lesson.vocoder_path()},
}
SHALLOW = {"sampler": "pndm", "k_step": 100, "speedup": 10}


def measure():
    song = lesson.sing("clara", "row")[0][: SECONDS * lesson.RATE]
    for name, parts in VOICES.items():
        asked = {"speaker": SPEAKER, "semitones": SEMITONES, **(SHALLOW if parts else {})}
        converter = Converter.load(lesson.voice_path(), device="cpu", **parts)
        with tempfile.TemporaryDirectory() as folder:
            worst = max(report.worst for report in export_voice(converter, folder))
            megabytes = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
            exported = Portable.load(folder)
            sing = {"torch": converter.convert, "onnxruntime": exported.convert}
            work = {way: partial(convert, song, lesson.RATE, **asked) for way, convert in sing.items()}
            for way, timing in take_turns(work).items():
                yield {"what": f"{name}, {way}", "value": timing.seconds / SECONDS, "unit": "s per s"}
            one, other, again = (run().audio for run in (*work.values(), partial(work["torch"], seed=1)))
        yield {"what": f"{name}, largest difference of a graph", "value": worst * 1e6, "unit": "millionth"}
        yield {"what": f"{name}, exported folder", "value": megabytes, "unit": "MB"}
        yield {"what": f"{name}, mel distance to torch", "value": compare(other, one).mel_distance, "unit": "nepers"}
        yield {"what": f"{name}, the same of other noise", "value": compare(again, one).mel_distance, "unit": "nepers"}
