"""Colab's packages stay as they are: what svcnb asks for fits them, and what is added is what is missing."""

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def load(name):
    spec = spec_from_file_location(name, ROOT / f"colab/{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def required() -> dict[str, Requirement]:
    """What pyproject.toml asks for, and its extra `onnx`, which notebook 06 needs."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = [re.search(rf"^{name} = \[(.*?)\]", text, re.M | re.S)[1] for name in ("dependencies", "onnx")]
    found = map(Requirement, re.findall(r'"([^"]+)"', "".join(lists)))
    return {canonicalize_name(one.name): one for one in found}


def preinstalled() -> dict[str, str]:
    pinned = load("check_resolver").pinned(ROOT / "colab/preinstalled.txt")
    return {canonicalize_name(name): version for name, version in pinned.items()}


def added() -> dict[str, Requirement]:
    lines = (ROOT / "colab/requirements.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(one.name): one for one in map(Requirement, (x for x in lines if not x.startswith("#")))}


def test_every_bound_admits_what_colab_has():
    here, refused = preinstalled(), []
    for name, requirement in required().items():
        if name in here and here[name] not in requirement.specifier:
            refused.append(f"{requirement}, but Colab has {here[name]}")
    assert not refused
    assert len(required().keys() & here.keys()) > 15


def test_what_is_missing_is_added_and_nothing_else():
    missing = {name: one.specifier for name, one in required().items() if name not in preinstalled()}
    assert {name: one.specifier for name, one in added().items()} == missing


def test_what_is_there_is_pinned_while_pip_adds_the_rest(monkeypatch):
    install, calls = load("install"), []

    def pip(*arguments):
        pins = arguments[arguments.index("-c") + 1] if "-c" in arguments else None
        calls.append((arguments, Path(pins).read_text() if pins else ""))

    monkeypatch.setattr(install, "pip", pip)
    install.install()
    (first, pins), (second, _) = calls
    assert str(ROOT / "colab/requirements.txt") in first and ":all:" in first, "nothing is compiled"
    assert re.search(r"^numpy===\d", pins, re.M) and re.search(r"^torch===\d", pins, re.M)
    assert "--no-deps" in second and str(ROOT) in second


def test_pip_takes_the_pretended_packages_for_installed(tmp_path):
    check = load("check_resolver")
    python = check.pretend(tmp_path / "colab", {"torch": "2.11.0", "scikit-learn": "1.6.1"})
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "list", "--format", "freeze"], capture_output=True, text=True
    )
    assert {"torch==2.11.0", "scikit-learn==1.6.1"} <= set(listed.stdout.split())


@pytest.mark.parametrize(("text", "expected"), [("# a\nx==1.0\n", {"x": "1.0"}), ("x==1.0  # why\n\n", {"x": "1.0"})])
def test_comments_are_no_packages(tmp_path, text, expected):
    (tmp_path / "p.txt").write_text(text)
    assert load("check_resolver").pinned(tmp_path / "p.txt") == expected
