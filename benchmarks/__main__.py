"""Measure this machine, print a table, write out/bench.json.

    python -m benchmarks                       all of it, some minutes
    python -m benchmarks inference training    these
    python -m benchmarks --list                what there is

`share` is of what the machine can convolve, measured in turn with the rest; `plain` how many times as fast as the
original's way of computing, in turn on this machine; `figure` as the original itself on another machine. Preparation
and k-means print tables of their own.
"""

import importlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import torch

OUT = Path("out/bench.json")
MEASUREMENTS = "imports", "inference", "onnx", "precision", "training", "memory", "notebooks"
OWN_TABLES = "preparation", "clusters"


def line(row: dict) -> str:
    """A row of the table."""
    cells = f"{row['what']:<44}{row['value']:9.3f} {row['unit']:<8}"
    cells += f"{share:7.0%}" if (share := row.get("share")) else " " * 7
    return cells + "".join(f"{ratio:9.2f} ×" if (ratio := row.get(name)) else " " * 11 for name in ("plain", "figure"))


def main(names: list[str]) -> None:
    if unknown := set(names) - {*MEASUREMENTS, *OWN_TABLES}:
        sys.exit(f"There is no measurement {unknown.pop()!r}; there are {', '.join(MEASUREMENTS + OWN_TABLES)}.")
    torch.set_flush_denormal(True)
    about = {"machine": platform.machine(), "python": platform.python_version(), "torch": torch.__version__}
    about |= {"threads": torch.get_num_threads(), "rows": []}
    print(f"Measuring on {about['machine']}, torch {torch.__version__}, {about['threads']} threads")
    print(f"{'':<44}{'':>18}{'share':>7}{'plain':>11}{'figure':>11}")
    for name in names or MEASUREMENTS + OWN_TABLES:
        if name in OWN_TABLES:
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
            continue
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            about["rows"].append(row)
            print(line(row), flush=True)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps(about, indent=2) + "\n")
    print(f"Written: {OUT}")


if __name__ == "__main__":
    if "--list" in sys.argv:
        print(*MEASUREMENTS + OWN_TABLES, sep="\n")
    else:
        main(sys.argv[1:])
