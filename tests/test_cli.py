import pytest
from typer.testing import CliRunner

from svcnb import cli, doctor

run = CliRunner().invoke


def fail(error):
    def raiser(*_, **__):
        raise error

    return raiser


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("The song is empty."), "Error: The song is empty.\n"),
        (OSError(28, "The disk is full."), "Error: The disk is full.\n"),
        (KeyError("This model has no speaker 'x'"), "Error: This model has no speaker 'x'\n"),
    ],
)
def test_an_error_is_one_sentence(monkeypatch, error, said):
    monkeypatch.setattr(doctor, "examine", fail(error))
    result = run(cli.app, ["doctor"])
    assert (result.exit_code, result.stderr) == (1, said)


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(doctor, "examine", fail(ValueError("The song is empty.")))
    assert isinstance(run(cli.app, ["--debug", "doctor"]).exception, ValueError)


@pytest.mark.parametrize("slip", [KeyError("wav"), TypeError("a slip of ours")])
def test_a_slip_of_ours_is_not_dressed_up(monkeypatch, slip):
    monkeypatch.setattr(doctor, "examine", fail(slip))
    assert run(cli.app, ["doctor"]).exception is slip


@pytest.mark.parametrize(("ok", "code", "mark"), [(True, 0, "ok"), (None, 0, "--"), (False, 1, "NO")])
def test_doctor_prints_a_row_each(monkeypatch, ok, code, mark):
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Row("thing", ok, "found", "get it")])
    result = run(cli.app, ["doctor"])
    assert result.exit_code == code and result.stdout.startswith(f"{mark}  thing  found")
    assert ("get it" in result.stdout) == (ok is not True)
