"""The commands that make clusters and an index."""

import pytest
from typer.testing import CliRunner

from svcnb import cli
from svcnb.retrieval import load


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (["clusters", "--count", "5"], "clusters.safetensors"),
        (["clusters"], "kmeans_10000.pt"),
        (["index"], "index.safetensors"),
        (["index"], "feature_and_index.pkl"),
    ],
)
def test_made_and_written(work, command, file):
    out = work / "logs" / file
    result = CliRunner().invoke(cli.app, [command[0], str(work), *command[1:], "--out", str(out)])
    assert result.exit_code == 0 and str(out) in result.stdout
    assert load(out)


def test_the_place_goes_without_saying(work):
    assert CliRunner().invoke(cli.app, ["index", str(work)]).exit_code == 0
    assert load(work / "logs/index.safetensors")


def test_without_features_the_advice_is_to_prepare(tmp_path):
    result = CliRunner().invoke(cli.app, ["clusters", str(tmp_path)])
    assert result.exit_code == 1 and "run `svcnb prepare` first" in result.stderr
