"""The command line: the functions that the notebooks call, for people who leave the notebook.

Each command reads its arguments, calls one function of the package and prints what it made. An error of ours is printed
as its one sentence; `svcnb --debug …` shows where it came from.

Notebook: 05_infer
"""

import re
from typing import Annotated

import typer
from typer.core import TyperGroup

OURS = (ValueError, OSError, KeyError, ImportError)  # what the package raises with a sentence for the person


class Plain(TyperGroup):
    """Prints an error as one sentence, without a traceback, and ends with exit code 1."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except OURS as error:
            sentence = _sentence(error)
            if ctx.params["debug"] or not sentence:
                raise
            typer.echo(f"Error: {sentence}", err=True)
            raise typer.Exit(1) from None


def _sentence(error: Exception) -> str:
    """What an error says, without Python's decoration; empty for a bare key, which is a slip of ours."""
    if isinstance(error, KeyError):
        return str(error.args[0]) if error.args and " " in str(error.args[0]) else ""
    return re.sub(r"^\[Errno \d+\] ", "", str(error))


app = typer.Typer(
    cls=Plain, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    """Singing voice conversion: prepare recordings, train a voice, convert a song. Ask the voices' owners first."""


@app.command()
def doctor(
    mend: Annotated[bool, typer.Option(help="Repair torchaudio beside a CPU-only torch.")] = False,
) -> None:
    """Say what works on this machine, and what to do about the rest."""
    from svcnb.doctor import examine, mend_torchaudio

    if mend:
        typer.echo(mend_torchaudio())
        return
    rows = examine()
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = {True: "ok", False: "NO", None: "--"}[row.ok]
        typer.echo(f"{mark}  {row.name:<{width}}  {row.found}{'' if row.ok else f': {row.advice}'}")
    if any(row.ok is False for row in rows):
        raise typer.Exit(1)
