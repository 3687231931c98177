"""Measure speed on this machine, print a table, write out/bench.json."""

import json
import platform
import subprocess
import sys
import time
from pathlib import Path


def import_seconds() -> float:
    """Seconds that `import svcnb` takes in a fresh interpreter, without those of the interpreter itself."""
    code = "import time; start = time.perf_counter(); import svcnb; print(time.perf_counter() - start)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(5)
    ]
    return min(times)


MEASUREMENTS = {"import svcnb (s)": import_seconds}


def main(out: Path = Path("out/bench.json")) -> None:
    print(f"Measuring on {platform.machine()}, Python {platform.python_version()}")
    results = {}
    for name, measure in MEASUREMENTS.items():
        results[name] = measure()
        print(f"{name:<40} {results[name]:.4g}")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"time": time.strftime("%Y-%m-%d %H:%M"), **results}, indent=2) + "\n")
    print(f"Written: {out}")


if __name__ == "__main__":
    main()
