"""What a notebook must be so that it opens everywhere, stays small in the repository, and can be checked."""

import ast
import itertools
import json
import re

import nbformat
import pytest

from tests.notebooks.frame import NOTEBOOKS, SETUP, badge

TAGS = {"setup", "parameters", "exercise", "raises-exception", "nbval-check-output", "nbval-ignore-output"}
LARGEST = 60_000  # characters of a stored output

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind=None):
    return [cell for cell in nbformat.read(path, 4).cells if kind in (None, cell.cell_type)]


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell.outputs]


def html(output) -> str:
    return "".join(output.get("data", {}).get("text/html", ""))


def test_the_format_is_valid(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata, "widget state is stored"


def test_cells_have_names(path):
    ids = [cell.id for cell in cells(path)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name) for name in ids)
    assert {tag for cell in cells(path) for tag in cell.metadata.get("tags", [])} <= TAGS


def test_the_beginning_is_the_same_everywhere(path):
    assert (cells(path)[0].id, cells(path)[0].source) == ("badge", badge(path))
    setup = [(cell.id, cell.source) for cell in cells(path, "code") if "setup" in cell.metadata.get("tags", [])]
    assert setup == [("setup", SETUP)], "run: make notebooks"


def test_code_is_short_python(path):
    for cell in cells(path, "code"):
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) <= 15, cell.id
        ast.parse(cell.source)  # no magics, no shell: their failures would go unseen


def test_parameters_are_literals(path):
    for cell in cells(path, "code"):
        if "parameters" in cell.metadata.get("tags", []):
            for node in ast.parse(cell.source).body:
                ast.literal_eval(node.value)


def test_headings_step_by_one(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_links_lead_somewhere(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)#]+)\)", cell.source):
            assert target.startswith("https://") or (path.parent / target).exists(), target


def test_stored_outputs_are_small_and_silent(path):
    for output in outputs(path):
        assert len(json.dumps(output)) <= LARGEST
        assert output.output_type != "error" and output.get("name") != "stderr"
        assert "<audio" not in html(output)
        assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def test_pictures_are_described(path):
    for output in outputs(path):
        assert "image/png" not in output.get("data", {}), "show it with nb.show, which carries a description"
        for image in re.findall(r"<img[^>]*>", html(output)):
            assert len(re.search(r'alt="([^"]*)"', image)[1]) > 20


def test_outputs_and_counts_agree(path):
    for cell in cells(path, "code"):
        assert bool(cell.outputs) == (cell.execution_count is not None), cell.id  # nbval refuses the mixture


def test_a_lesson_has_its_form(path):
    if path.parent.name != "notebooks":
        pytest.skip("this is no lesson")
    by_name = {cell.id: cell for cell in cells(path)}
    for words in ("**You will**", "**You need**", "**Time**", "**A word before we start.**"):
        assert words in by_name["objectives"].source, words
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    ideas = set(re.findall(r"^## (.+)$", text, re.M)) - {"Exercises", "What you have now", "References"}
    assert 3 <= len(ideas) <= 6 and text.count("**Predict**") >= 3
    assert by_name["lab"].cell_type == "code"
    exercises = [name for name in by_name if re.fullmatch(r"exercise-\d", name)]
    assert 2 <= len(exercises) <= 3
    for name in exercises:
        assert "exercise" in by_name[f"{name}-work"].metadata.tags
        assert by_name[f"{name}-solution"].source.startswith("<details><summary>Solution</summary>")
    assert "what can go wrong" in by_name["recap"].source and f"notebook {path.stem[:2]} ok" in by_name["save"].source
