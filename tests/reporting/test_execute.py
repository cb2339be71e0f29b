"""One notebook in one worker: strict parameters, a real failure, a real time limit."""

import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from toolkit.errors import ToolkitError
from toolkit.reporting import execute


def write_notebook(path: Path, code: str, parameters: str = 'out: str = ""  # folder', **settings: object) -> Path:
    """A notebook of two cells, the first tagged parameters."""
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]}), new_code_cell(code)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "toolkit": {"runs": "once", **settings}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture
def typed(tmp_path):
    lines = [
        'name: str = "x"  # text',
        "count: int = 3  # whole",
        "share: float = 0.5  # number",
        "flag: bool = True  # switch",
    ]
    return write_notebook(tmp_path / "typed.ipynb", "", "\n".join(lines))


def test_given_values_take_the_declared_types(typed):
    given = {"count": np.int64(7), "share": 1, "flag": np.bool_(False), "name": "y"}
    checked = execute.checked_parameters(typed, given)
    assert checked == {"count": 7, "share": 1.0, "flag": False, "name": "y"}
    assert [type(value) for value in checked.values()] == [int, float, bool, str]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cuont": 1}, "no parameter 'cuont'; it declares name, count, share, flag"),
        ({"count": "1"}, "parameter count takes int; '1' was given"),
        ({"count": True}, "parameter count takes int; True"),
        ({"flag": 1}, "parameter flag takes bool"),
        ({"name": ["x"]}, "parameter name takes str"),
        ({"share": None}, "parameter share takes float"),
    ],
)
def test_anything_else_is_refused(typed, given, message):
    with pytest.raises(ToolkitError, match=message):
        execute.checked_parameters(typed, given)


def test_a_notebook_must_declare_itself(tmp_path):
    bare = write_notebook(tmp_path / "bare.ipynb", "1 + 1", runs="sometimes")
    with pytest.raises(ToolkitError, match=r"toolkit\.runs = 'per-dataset' or 'once'; found 'sometimes'"):
        execute.settings(bare)
    notebook = nbformat.read(bare, as_version=4)
    notebook.cells = notebook.cells[1:]
    nbformat.write(notebook, bare)
    with pytest.raises(ToolkitError, match="a cell tagged 'parameters' was expected"):
        execute.declared_parameters(bare)


def test_a_failing_cell_says_where_and_keeps_what_was_done(tmp_path):
    source = write_notebook(tmp_path / "failing.ipynb", "print('so far'); {}['missing key']")
    result = execute.run(execute.Job(str(source), str(tmp_path / "done.ipynb"), {"out": "x"}))
    assert result.error == "cell 3: KeyError: 'missing key'"
    assert "missing key" in result.traceback and "\x1b" not in result.traceback
    assert "so far" in (tmp_path / "done.ipynb").read_text()


def test_a_time_limit_ends_worker_and_kernel(tmp_path):
    source = write_notebook(
        tmp_path / "slow.ipynb",
        "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)",
    )
    result = execute.run(execute.Job(str(source), str(tmp_path / "done.ipynb"), {}, limit_s=10))
    assert result.error == "stopped after its limit of 10 s"
    kernel = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not psutil.pid_exists(kernel) or psutil.Process(kernel).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("the kernel outlived its limit")


def test_a_worker_that_dies_is_a_failure_with_a_reason(tmp_path):
    result = execute.run(execute.Job(str(tmp_path / "absent.ipynb"), str(tmp_path / "done.ipynb"), {}))
    assert "the worker died with status 1" in result.error
    assert "absent.ipynb" in result.traceback
