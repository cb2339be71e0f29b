"""A bandit's file is whole at every moment, and never older than what was said to be on the disk."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from toolkit.bandits.counting import GaussianThompson
from toolkit.bandits.linear import LinearThompson
from toolkit.bandits.persistence import load_bandit, save_bandit
from toolkit.errors import ToolkitError


def keep_saving(path: str) -> None:
    """Learn and save until killed; every save that returned is told."""
    bandit = LinearThompson(8, 24)
    for step in range(1, 1_000_000):
        bandit.update(step % 8, 0.5, np.full(24, step / 1e6))
        bandit.weights_[0, 0, 0] = step
        save_bandit(bandit, path)
        print(step, flush=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_file_outlives_a_hundred_killed_savers(tmp_path):
    path, rng, killed_at_work = tmp_path / "bandit.npz", random.Random(0), 0
    code = f"from tests.bandits.test_persistence import keep_saving; keep_saving({str(path)!r})"
    for _ in range(100):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert int(process.stdout.readline()) == 1
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            told = [1, *(int(line) for line in process.stdout if line.endswith("\n"))]
        found = load_bandit(path)
        assert told[-1] <= found.weights_[0, 0, 0] <= told[-1] + 1
        left = [file for file in tmp_path.iterdir() if file != path]
        killed_at_work += bool(left)
        for file in left:
            file.unlink()
    assert killed_at_work > 5  # between the first byte and the new name, where it matters


def test_what_is_no_bandit_is_refused(tmp_path):
    path = save_bandit(GaussianThompson(["a", "b"]), tmp_path / "bandit.npz")
    content = path.read_bytes()
    for wrong in (b"", b"{}", content[:-30], content[: len(content) // 2], b"x" * 100):
        (tmp_path / "wrong.npz").write_bytes(wrong)
        with pytest.raises(ToolkitError, match=r"wrong\.npz: a saved bandit was expected"):
            load_bandit(tmp_path / "wrong.npz")
    with pytest.raises(ToolkitError, match="there is no such file"):
        load_bandit(tmp_path / "none.npz")

    class Mine(GaussianThompson):
        pass

    path = save_bandit(Mine(2), tmp_path / "mine.npz")
    with pytest.raises(ToolkitError, match="no bandit class 'Mine'"):
        load_bandit(path)
    assert isinstance(load_bandit(path, known=[Mine]), Mine)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    bandit, path = GaussianThompson(2), tmp_path / "bandit.npz"
    save_bandit(bandit, path)
    before = path.read_bytes()
    bandit.update(0, 1.0)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ToolkitError, match="could not be written"):
        save_bandit(bandit, blocked / "bandit.npz")
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", [{"pulls_": np.zeros((1, 3))}, {"rng": None}, {"active": None}, {"total_": "x"}])
def test_another_state_is_refused(change):
    bandit = GaussianThompson(2)
    with pytest.raises(ToolkitError, match="GaussianThompson: "):
        GaussianThompson(2).restore(bandit.state() | change)
