import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from PIL import Image

from svcnb import notebook


def test_a_player_holds_the_sound():
    wav = np.sin(np.arange(8000) / 5).astype(np.float32) * 2  # beyond full scale: clipped, not wrapped
    table = notebook.compare({"<source>": wav, "silence": np.zeros(4000)}, 8000)._repr_html_()
    first, second = re.findall(r"base64,([^\"]+)", table)
    read, rate = soundfile.read(io.BytesIO(base64.b64decode(first)))
    assert rate == 8000 and np.abs(read - np.clip(wav, -1, 1)).max() < 1e-4
    assert not np.any(soundfile.read(io.BytesIO(base64.b64decode(second)))[0])
    assert "&lt;source&gt;" in table and 'aria-label="silence"' in table and "1.0 s" in table


def test_a_figure_carries_its_description():
    figure = Figure(figsize=(4, 2))
    figure.subplots().plot([1, 2, 3])
    shown = notebook.show(figure, alt='a rising "line"', caption="one & two")
    markup = shown._repr_html_()
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", markup)[1])))
    assert picture.width > 200
    assert 'alt="a rising &quot;line&quot;"' in markup and "one &amp; two" in markup
    assert repr(shown) == '[figure: a rising "line"]'


@pytest.mark.parametrize(("ok", "said"), [(True, "✓ a name\n"), (False, "✗ a name: what to do\n")])
def test_a_check_informs(capsys, ok, said):
    notebook.check("a name", ok, "what to do")
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("fast", ["1", "0"])
def test_fast_mode_leaves_nothing_behind(tmp_path, fast):
    code = "from svcnb import notebook as nb; work = nb.setup(); (work / 'x').touch(); print(work)"
    environment = {"SVCNB_FAST": fast, "PATH": ""}
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    kept = list(tmp_path.rglob("x"))
    assert bool(kept) == (fast == "0")
    if kept:
        assert kept[0] == tmp_path / "svcnb-work/x"


def test_those_who_stand_in_are_those_asked_for(tmp_path):
    names = lambda: sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    notebook.choose_recordings(tmp_path, "", ["lena"], ["brother"])
    made = (tmp_path / "stand-in/lena/brother.wav").stat().st_mtime_ns
    assert notebook.choose_recordings(tmp_path, "", ["lena"], ["brother"]) == tmp_path / "stand-in"
    assert (tmp_path / "stand-in/lena/brother.wav").stat().st_mtime_ns == made, "nothing is sung, or prepared, twice"
    notebook.choose_recordings(tmp_path, "", ["vera"], ["brother"])
    assert names() == ["stand-in/vera/brother.wav"]
    notebook._stand_in(tmp_path / "raw", ["vera"], ["brother"])
    assert notebook.choose_recordings(tmp_path, "", ["lena"], ["brother"]) == tmp_path / "raw", "one's own go first"
    assert notebook.choose_recordings(tmp_path, str(tmp_path / "named"), [], []) == tmp_path / "named"
