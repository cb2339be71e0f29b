"""The command line as a user types it: exit status, one sentence, the last line."""

import re
import subprocess
import sys

import pytest


def _run(*arguments: str, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "toolkit", *arguments], capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "--dataset", "nope"], "No data set 'nope'"),
        (["report", "--dataset", "absent.csv"], "absent.csv: no such file"),
        (["report", "--profile", "slow"], "No profile 'slow'"),
        (["report", "--device", "tpu"], "--device takes auto, cpu, cuda"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(tmp_path, arguments, message):
    done = _run(*arguments, "--out", str(tmp_path / "reports"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "reports").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    done = _run("report", "--profile", "smoke", "--out", str(tmp_path / "file" / "reports"))
    assert done.returncode == 2 and "a folder that can be written was expected" in done.stderr


def test_data_lists_every_set():
    done = _run("data")
    assert done.returncode == 0
    for name in ("synthetic", "routellm/mmlu", "routellm/gsm8k", "routellm/mt_bench"):
        assert name in done.stdout
    assert "14,037" in done.stdout and "Apache-2.0" in done.stdout


def test_doctor_names_each_finding(tmp_path, monkeypatch):
    healthy = _run("doctor")
    assert healthy.returncode == 0, healthy.stdout
    for subject in ("python", "torch", "cpu", "memory", "gpu", "reports"):
        assert re.search(rf"^OK +{subject}", healthy.stdout, re.M), subject
    monkeypatch.setenv("TOOLKIT_DATA_MIRROR", str(tmp_path / "typo"))
    ill = _run("doctor")
    assert ill.returncode == 1
    assert re.search(r"^FAIL +data mirror", ill.stdout, re.M) and "→ point TOOLKIT_DATA_MIRROR" in ill.stdout
