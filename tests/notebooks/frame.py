"""What begins every notebook: the badge that opens it in Colab, and the cell that sets it up.

The repository's address stands in pyproject.toml (`Repository`) and nowhere else by hand: `make notebooks` writes it
into the notebooks, and the lint compares.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [*sorted((ROOT / "notebooks").glob("*.ipynb")), ROOT / "colab/quickstart.ipynb"]
ADDRESS = re.search(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[1]

SETUP = f"""\
# @title Set up
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and not importlib.util.find_spec("svcnb"):
    get = "git clone -q --depth 1 {ADDRESS} source"
    subprocess.run(f"test -d source || {{get}}; python source/colab/install.py", shell=True, check=True)

from svcnb import notebook as nb

work = nb.setup()"""


def badge(path: Path) -> str:
    """The first cell of a notebook."""
    place = f"{ADDRESS.replace('https://github.com', 'github')}/blob/main/{path.relative_to(ROOT).as_posix()}"
    colab = "https://colab.research.google.com"
    return f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/{place})"


def begin(notebook, path: Path) -> None:
    """Give a notebook its badge and its set-up cell, in place."""
    from nbformat.v4 import new_markdown_cell

    if notebook.cells[0].id != "badge":
        notebook.cells.insert(0, new_markdown_cell(id="badge"))
    notebook.cells[0].source = badge(path)
    next(cell for cell in notebook.cells if cell.id == "setup").source = SETUP
