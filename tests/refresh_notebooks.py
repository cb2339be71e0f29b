"""``make notebooks``: run the notebooks at their defaults, keep the outputs of checked cells and strip all others.

What is left in git is what nbval compares; everything else would only be noise in a diff.
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
CHECKED = "# NBVAL_CHECK_OUTPUT"


def refresh(path: Path) -> None:
    """Rewrite one notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    if any(CHECKED in cell.source for cell in notebook.cells):
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and CHECKED not in cell.source:
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec", "toolkit")} | {
        "language_info": {"name": "python"}
    }
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for found in sorted(FOLDER.glob("*.ipynb")):
        refresh(found)
