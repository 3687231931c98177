"""Seconds that `import svcnb` takes in a fresh interpreter, without those of the interpreter itself."""

import subprocess
import sys


def measure() -> list[dict]:
    code = "import time; start = time.perf_counter(); import svcnb; print(time.perf_counter() - start)"
    runs = (subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5))
    return [{"what": "import svcnb", "value": min(float(run.stdout) for run in runs), "unit": "s"}]
