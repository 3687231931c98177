"""`python -m svcnb`: see svcnb.cli."""

from svcnb.cli import app

app(prog_name="svcnb")
