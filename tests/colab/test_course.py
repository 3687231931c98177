"""The course in Colab, where Drive is mounted by hand or not at all."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from svcnb import notebook as nb
from svcnb.training.state import ResumeError
from tests.colab.conftest import STAND_IN
from tests.colab.test_quickstart import step

ROOT = Path(__file__).parents[2]


def training(work):
    folder = work / "logs/44k"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_text("state after 100")
    yield step(folder / "G_100.safetensors")


@pytest.mark.parametrize("mounted", [True, False])
def test_a_lost_session_comes_back_from_drive_if_that_was_mounted(colab, tmp_path, capsys, mounted):
    if mounted:
        nb.mount_drive()
    work = nb.setup(tmp_path / "work")
    (work / "raw/me").mkdir(parents=True)
    (work / "raw/me/take.wav").write_text("sung")
    assert [one.step for one in nb.kept(training(work), work)] == [100]
    shutil.rmtree(work)
    work = nb.setup(work)
    found = {path.name for path in work.rglob("*") if path.is_file()}
    assert found == ({"take.wav", "G_100.safetensors", "state.pt"} if mounted else set())
    assert ("3 files came from Drive" in capsys.readouterr().out) == mounted


def test_other_recordings_put_the_voice_aside_on_drive_too(colab, tmp_path, capsys):
    nb.mount_drive()
    work = nb.setup(tmp_path / "work")
    list(nb.kept(training(work), work))

    def train(max_steps):
        raise ResumeError(work / "logs/44k", "the prepared clips are others")

    nb.make_room(train, work)
    assert "it is kept in logs/44k-1" in capsys.readouterr().out
    for place in (work, nb.shelf()):
        assert (place / "logs/44k-1/G_100.safetensors").exists() and not (place / "logs/44k").exists()


def test_the_diffusion_model_of_notebook_04_comes_to_drive(monkeypatch):
    monkeypatch.setenv("SVCNB_FAST", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STAND_IN), str(ROOT)]))
    notebook = nbformat.read(ROOT / "notebooks/04_train_diffusion.ipynb", 4)
    by_name = {cell.id: cell for cell in notebook.cells}
    by_name["mount"] = new_code_cell("nb.mount_drive()")
    by_name["look"] = look = new_code_cell("print(nb.IN_COLAB, *sorted(path.name for path in nb.shelf().rglob('*')))")
    path = "setup", "mount", "parameters", "inputs", "run-train", "watch-train", "check-train", "look"
    notebook.cells = [by_name[name] for name in path]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}}).execute()
    assert "✗" not in by_name["check-train"].outputs[0].text
    assert look.outputs[0].text.split() == [
        "True", "44k", "config.yaml", "diffusion", "kept.json", "logs", "model_4.pt", "state.pt",
    ]  # fmt: skip
