"""Seconds that each notebook takes from its first cell to its last, in fast mode."""

import os
import tempfile
import time
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def measure() -> list[dict]:
    import nbformat
    from nbclient import NotebookClient

    os.environ |= {"SVCNB_FAST": "1", "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}
    rows = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(nbformat.read(path, 4), timeout=600, resources={"metadata": {"path": folder}})
            start = time.perf_counter()
            client.execute()
        rows.append({"what": f"notebook {path.stem}", "value": time.perf_counter() - start, "unit": "s"})
    return rows + [{"what": "all notebooks", "value": sum(row["value"] for row in rows), "unit": "s"}]
