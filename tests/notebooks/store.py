"""Run the notebooks as the tests do and store what their cells show: `make notebooks`, or with names, `… 02_features`.

Kept are printed text and described pictures; sound, widgets and progress are left out, as the lint asks.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.notebooks.frame import NOTEBOOKS, begin


def kept(output) -> bool:
    """True for what belongs into the repository."""
    data = output.get("data", {})
    markup = "".join(data.get("text/html", ""))
    widget = "application/vnd.jupyter.widget-view+json" in data
    return output.get("name") != "stderr" and not widget and "<audio" not in markup


def store(path: Path) -> None:
    """Run one notebook and write it back with its outputs. Raises CellExecutionError."""
    notebook = nbformat.read(path, 4)
    begin(notebook, path)
    here = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, coalesce_streams=True, resources=here).execute()
    kept_here = ("kernelspec", "language_info", "accelerator")  # the last is how Colab is asked for a GPU
    notebook.metadata = {key: notebook.metadata[key] for key in kept_here if key in notebook.metadata}
    notebook.metadata.language_info = {"name": "python"}
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.metadata.pop("execution", None)
        cell.outputs = [
            output for output in cell.outputs if kept(output) and "setup" not in cell.metadata.get("tags", [])
        ]
        for output in cell.outputs:
            output.pop("execution_count", None)
            if output.output_type == "execute_result":
                output.execution_count = count
        cell.execution_count = count if cell.outputs else None  # nbval refuses outputs without a count
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in NOTEBOOKS:
        if path.stem in (sys.argv[1:] or [path.stem]):
            print(f"Running {path.stem}", flush=True)
            store(path)
