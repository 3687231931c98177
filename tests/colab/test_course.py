"""The course in Colab, where Drive is mounted by hand or not at all."""

import shutil

import pytest

from svcnb import notebook as nb
from tests.colab.test_quickstart import step


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
