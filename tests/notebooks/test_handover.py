"""One work folder goes through all six notebooks, with the learner's own voice: each begins from what was left there.

Run are the cells that make or take something; all others are nbval's.
"""

import os

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell

from svcnb import lesson
from tests.notebooks.frame import NOTEBOOKS

BEGIN = ["setup", "parameters", "inputs"]
PATH = {
    "01_data": [*BEGIN, "run-prepare", "save"],
    "02_features": [*BEGIN, "save"],
    "03_train_sovits": [*BEGIN, "run-before", "lab", "lab-state", "save"],
    "04_train_diffusion": [
        *BEGIN, "run-noise", "run-vocoder", "lab", "lab-state", "run-train", "watch-train", "check-train", "save",
    ],
    "05_infer": [*BEGIN, "run-convert", "panel", "panel-state", "save"],
    "06_mixing_export": [
        *BEGIN, "lab", "run-morph", "see-morph", "hear-morph", "check-morph", "run-shrink", "run-export",
        "check-export", "save",
    ],
}  # fmt: skip
KILLED = """
import os, signal, time

config.train.eval_interval = 2
monitor.start()
while len(monitor.steps) < 3:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def told(path, work, names, more="") -> dict[str, str]:
    """What cells of a notebook print, by name, when it works in `work`; and what a cell `more` prints after them."""
    notebook = nbformat.read(path, 4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in names]
    assert {cell.id for cell in notebook.cells} == set(names)
    notebook.cells.append(new_code_cell(more, id="more"))
    setup = next(cell for cell in notebook.cells if cell.id == "setup")
    setup.source = setup.source.replace("nb.setup()", f"nb.setup({str(work)!r})")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    return {cell.id: "".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    work, patch = tmp_path_factory.mktemp("learner"), pytest.MonkeyPatch()
    patch.setenv("SVCNB_FAST", "1")
    lesson.write_songs(work / "sung", ["vera"], ["kitchen"])
    (work / "raw").mkdir()
    os.replace(work / "sung/vera", work / "raw/me")
    train = next(path for path in NOTEBOOKS if path.stem == "03_train_sovits")
    more = {train.stem: "print(steps[0].resumed_from)"}
    found = {"work": work}
    for path in NOTEBOOKS:
        if path == train:
            with pytest.raises(DeadKernelError):
                told(path, work, [*BEGIN, "run-before", "lab"], KILLED)
        if path.stem in PATH:
            found[path.stem] = told(path, work, PATH[path.stem], more.get(path.stem, ""))
    yield found
    patch.undo()


def test_each_notebook_takes_what_the_one_before_it_made(said):
    work = said["work"]
    assert not (work / "stand-in").exists(), "nobody stands in for a learner who has recorded"
    assert "me/kitchen.wav" in said["01_data"]["inputs"] and "me " in said["01_data"]["run-prepare"]
    assert "units: one row of 64 numbers" in said["02_features"]["save"]
    assert "to check with: me" in said["03_train_sovits"]["inputs"]
    assert "for me" in said["04_train_diffusion"]["run-train"]
    voice = str(work / "logs/44k/G_6.safetensors")
    assert voice in said["05_infer"]["inputs"] and "me will sing" in said["05_infer"]["inputs"]
    assert said["05_infer"]["panel-state"].startswith("me ")
    assert "the lesson voice" in said["06_mixing_export"]["inputs"], "one singer has nobody to be mixed with"


def test_a_training_killed_with_its_kernel_goes_on_when_the_cells_are_run_again(said):
    assert said["03_train_sovits"]["more"].strip() in ("2", "4"), "saved after every second step"
    assert "Finished after step 6." in said["03_train_sovits"]["lab-state"]


def test_nothing_on_the_way_is_amiss(said):
    for stem in PATH:
        assert "✗" not in "".join(said[stem].values()), stem
        assert f"notebook {stem[:2]} ok" in said[stem]["save"]
    there = {path.relative_to(said["work"]).as_posix() for path in said["work"].rglob("*")}
    assert {f"songs/{name}.flac" for name in ("diffusion", "converted", "morph")} <= there
    assert {"exported/voice.json", "logs/44k/diffusion/model_4.pt"} <= there
