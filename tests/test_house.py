"""The house rules that a machine can check: sizes, which way imports point, and what `import svcnb` brings along."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks.frame import ADDRESS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "svcnb").rglob("*.py"))
FLOORS = [  # a room imports from its own floor and from those below
    {"config", "presets", "files", "unpickle", "weights", "download", "quick"},
    {"audio", "spectral", "slicer", "stream", "registry", "encoders", "f0", "lesson", "melody"},  # these know no model
    {"models"},  # torch, and nothing of ours
    {"checkpoint", "dataset", "prepare", "retrieval", "mixing", "lora", "evaluate", "probes", "key"},
    {"training", "options", "convert", "job", "diffuse", "enhance", "leak", "export", "portable", "drive"},
    {"plots", "widgets", "notebook", "quickstart", "cli", "follow", "demo", "doctor", "__main__"},  # the roof
]


def room(path: Path) -> str:
    return path.relative_to(ROOT / "svcnb").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms of ours that a file imports, inside functions too."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) + 1 - node.level], *([node.module] if node.module else [])])
            module = base if node.level else node.module
            found |= {f"{module}.{alias.name}" for alias in node.names}
    ours = {name.split(".")[1] for name in found if name.startswith("svcnb.")}
    return ours & {room(file) for file in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_stays_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 60, f"{node.name} has over 60 lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    here, imports = room(path), imported_rooms(path) - {room(path)}
    floor = next((i for i, rooms in enumerate(FLOORS) if here in rooms), None)
    assert here == "__init__" or floor is not None, f"give {here} its floor above"
    assert not imports or here != "models", "models know nothing of ours"
    assert not imports - set().union(*FLOORS[: (floor or 0) + 1])


def test_the_rules_see_both_kinds_of_import():
    assert imported_rooms(ROOT / "svcnb/cli.py") >= {"doctor"}
    assert imported_rooms(ROOT / "svcnb/encoders/__init__.py") >= {"config"}
    assert imported_rooms(ROOT / "svcnb/__main__.py") == {"cli"}


@pytest.mark.parametrize("module", ["svcnb", "svcnb.config", "svcnb.cli", "svcnb.doctor"])
def test_importing_is_light(module):
    code = f"import sys, {module}; print(*{{'torch', 'librosa', 'transformers', 'matplotlib'}} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_no_path_of_one_machine():
    for path in [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")]:
        assert not re.search(r"""["'`](/|C:)(work|tmp|root|home|Users)/""", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "page",
    [path for room in (".", "benchmarks", "colab") for path in sorted((ROOT / room).glob("*.md"))],
    ids=lambda page: page.name,
)
def test_links_of_the_pages_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    assert set(re.findall(r"https://github\.com/[\w-]+/svcnb\b", text)) <= {ADDRESS}, "pyproject.toml has another"
