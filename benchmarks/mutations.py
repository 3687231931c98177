"""Would the tests notice? Important lines broken one at a time, in a copy, and whether the tests fail then.

    python -m benchmarks.mutations

Nothing is changed in the working tree. Each mutation is tried in a process that has the large libraries loaded already.

Notebook: 03_train_sovits
"""

import importlib
import io
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import typer

ROOT = Path(__file__).parents[1]
LIBRARIES = ("torch", "librosa", "soundfile", "faiss", "accelerate", "transformers", "pytest", "hypothesis", "pydantic")


class Mutation(NamedTuple):
    """A line of svcnb that is replaced, and the tests that should fail then."""

    what: str
    file: str
    line: str
    broken: str
    tests: str


MUTATIONS = [
    Mutation("the mel loss loses its weight", "training/sovits.py", "- mel).abs().mean() * train.c_mel",
             "- mel).abs().mean()", "training/test_sovits_steps.py -k test_steps"),
    Mutation("the KL loss loses its weight", "training/sovits.py", "out.mask) * train.c_kl", "out.mask)",
             "training/test_sovits_steps.py -k prior_share"),
    Mutation("the KL divergence is turned round", "training/losses.py", "kl = logs_p - logs_q", "kl = logs_q - logs_p",
             "training/test_sovits_steps.py -k losses"),
    Mutation("the critics do not learn", "training/gan.py",
             'loop.update(discriminator, state.optimizers["discriminator"], state.scaler, largest)',
             "loop.update(discriminator, torch.optim.SGD(discriminator.parameters(), 0.0), None, largest)",
             "training/test_train_sovits.py -k critics_learn"),
    Mutation("real and made are swapped for the critics", "training/losses.py",
             "((1 - r.float()) ** 2).mean() + (f.float() ** 2).mean()",
             "((1 - f.float()) ** 2).mean() + (r.float() ** 2).mean()", "training/test_sovits_steps.py -k losses"),
    Mutation("gradients are not clipped", "training/loop.py", "        if largest:", "        if False:",
             "training/test_train_sovits.py -k clipped"),
    Mutation("a gradient that is not finite is taken", "training/loop.py", "finite = bool(norm.isfinite())",
             "finite = True", "training/test_train_sovits.py -k gradient_that"),
    Mutation("resume forgets the optimisers", "training/state.py",
             '            optimizer.load_state_dict(stored["optimizers"][name])', "            pass",
             "training/test_train_sovits.py -k goes_on_exactly"),
    Mutation("resume draws other random numbers", "training/loop.py", '"{seed}/{step}/{rank}"',
             '"{seed}/{rank}/{id(seed)}"', "training/test_train_sovits.py -k goes_on_exactly"),
    Mutation("the average of weights is the wrong way round", "training/state.py", "for key in moving], 1 - decay)",
             "for key in moving], decay)", "training/test_train_sovits.py -k average"),
    Mutation("the learning rate never falls", "training/sovits.py", "train.learning_rate * train.lr_decay ** ",
             "train.learning_rate * 1 ** ", "training/test_sovits_steps.py -k learning_rate"),
    Mutation("loudness is changed in the sound, not in the volume", "dataset.py", "volume=self.volume * gain",
             "volume=self.volume", "test_dataset.py"),
    Mutation("the check clips are trained on", "prepare/lists.py", "return order[held_out:], order[:held_out]",
             "return order, order[:held_out]", "prepare/test_prepare.py -k 'lists or split'"),
    Mutation("silence is measured in power", "slicer.py", "10 ** (threshold_db / 20)", "10 ** (threshold_db / 10)",
             "test_slicer.py"),
    Mutation("a clip may be of any length", "slicer.py", " and i - clip_start >= frames.min_length", "",
             "test_slicer.py"),
    Mutation("the key is shifted down", "convert.py", "2 ** (options.semitones / 12)", "2 ** (-options.semitones / 12)",
             "test_convert.py -k melody"),
    Mutation("every frame counts as voiced", "convert.py", "self._row(f0.voiced), volume",
             "torch.ones_like(self._row(f0.voiced)), volume", "test_convert.py -k networks"),
    Mutation("a crossfade fades the wrong way", "audio.py", "* (1 - ramp) + b[:length] * ramp",
             "* ramp + b[:length] * (1 - ramp)", "test_audio.py -k crossfade"),
    Mutation("a crossfade begins too early", "stream.py", "before = (overlap - fade) // 2", "before = 0",
             "test_stream.py -k crossfade"),
    Mutation("the flow is not undone", "models/flow.py", "(x1 - shift) * mask if reverse",
             "(x1 + shift) * mask if reverse", "models/test_sovits_parts.py"),
    Mutation("the noise scale does nothing", "models/sovits.py", "logs.exp() * noise_scale)", "logs.exp())",
             "models/test_sovits.py"),
    Mutation("voicing is not read", "models/sovits.py", "self.emb_uv(uv.long())", "self.emb_uv(uv.long() * 0)",
             "models/test_sovits.py"),
    Mutation("loudness over time is not taken over", "audio.py", "wanted ** (1 - amount)", "wanted ** amount",
             "test_audio.py -k envelope"),
    Mutation("room noise is answered with a voice", "audio.py", "gain = 1 - doubt", "gain = 1 - 0 * doubt",
             "test_convert.py -k kept_down"),
    Mutation("neighbours count by 1/d²", "retrieval/index.py", "/ squares) ** 2", "/ squares) ** 1",
             "retrieval/test_index.py"),
    Mutation("the retrieval ratio is turned round", "retrieval/corpus.py", "ratio * found + (1 - ratio) * units",
             "(1 - ratio) * found + ratio * units", "retrieval"),
    Mutation("a mix is not normalised", "mixing.py", "values / np.where(sums > 0, sums, 1)", "values",
             "test_mixing.py"),
    Mutation("the checksum of a download is not compared", "download.py",
             "if digest.hexdigest() != wanted.sha256:", "if not digest.hexdigest():", "test_download.py"),
    Mutation("a pickle may ask for anything", "unpickle.py", 'raise _Refused(f"asks for',
             'return super().find_class(module, name)\n        raise _Refused(f"asks for',
             "test_unpickle.py -k calls"),
    Mutation("half files may lie under a final name", "files.py",
             'path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")', "path", "test_files.py"),
    Mutation("pitch in evaluation is not shifted", "evaluate/measures.py", "* 2 ** (semitones / 12)",
             "* 2 ** (-semitones / 12)", "evaluate/test_compare.py -k 'cents or shift'"),
    Mutation("cents lose their octave", "f0/postprocess.py", "return 10 * 2 ** (cents / 1200)",
             "return 10 * 2 ** (cents / 1200 % 1)", "f0/test_postprocess.py"),
    Mutation("windows of an encoder have no margin", "encoders/windows.py", "frames if end == frames else end - margin",
             "end", "encoders/test_windows.py"),
    Mutation("the first step of diffusion is not trained", "models/noising.py", "torch.randint(0, self.k_step,",
             "torch.randint(1, self.k_step,", "models/test_diffusion.py"),
]  # fmt: skip


def main(only: str = "", processes: int = 1) -> None:
    """Try all mutations, or those whose description holds `only`."""
    for name in LIBRARIES:
        importlib.import_module(name)
    chosen = [mutation for mutation in MUTATIONS if only in mutation.what]
    print("| broken | the tests | |\n|---|---|---|", flush=True)
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        for mutation, said in zip(chosen, pool.imap(survived, chosen), strict=True):
            print(f"| {mutation.what} | `tests/{mutation.tests}` | {said} |", flush=True)


def survived(mutation: Mutation) -> str:
    """Break the line in a copy of the project and run the tests there; what they say."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "svcnb"
        skip = shutil.ignore_patterns(".git", ".venv", "out", "notebooks", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=skip)
        path = copy / "svcnb" / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.line) != 1:
            return f"THE LINE IS THERE {text.count(mutation.line)} TIMES"
        path.write_text(text.replace(mutation.line, mutation.broken), encoding="utf-8")
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        sys.path[:0] = [str(copy)]
        import pytest

        words = re.findall(r"'[^']*'|\S+", mutation.tests)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = pytest.main(
                [
                    f"tests/{words[0]}",
                    "-q",
                    "-x",
                    "--disable-warnings",
                    "-p",
                    "no:cacheprovider",
                    *(w.strip("'") for w in words[1:]),
                ]
            )
    if code == pytest.ExitCode.TESTS_FAILED:
        return "failed, as they should"
    return f"DO NOT FAIL: {said.getvalue().strip().splitlines()[-1]}"


if __name__ == "__main__":
    typer.run(main)
