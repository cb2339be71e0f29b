"""The command line as a user types it: exit status, one sentence, the last line."""

import importlib
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.reporting.test_execute import write_notebook
from toolkit import datasets, load_router, save_router
from toolkit.routers import LEARNED, ROUTERS


def _run(*arguments: str, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "toolkit", *arguments], capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "--dataset", "nope"], "No data set 'nope'"),
        (["report", "--dataset", "absent.csv"], "absent.csv: no such file"),
        (["report", "--profile", "slow"], "No profile 'slow'"),
        (["report", "--device", "tpu"], "device takes auto, cpu, cuda"),
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


def test_arena_writes_what_the_arena_reads(tmp_path, synthetic):
    """A saved router, upstream's query file, a prediction file; and back through our own reader."""
    save_router(ROUTERS["length-rule"]().fit(synthetic), tmp_path / "router")
    queries = [{"global index": f"Law_{k}", "prompt": "raw", "prompt_formatted": "word " * k} for k in (1, 90, 900)]
    queries.append({"global index": 7, "prompt": "plain"})
    (tmp_path / "router_data.json").write_text(json.dumps(queries))
    out = tmp_path / "predictions" / "mine.json"
    arguments = ["arena", str(tmp_path / "router"), "--queries", str(tmp_path / "router_data.json"), "--out", str(out)]
    done = _run(*arguments)
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text())
    assert [row["prediction"] for row in written] == ["qwen-flash", "qwen-plus", "qwen-max", "qwen-flash"]
    assert [row["global index"] for row in written] == ["Law_1", "Law_90", "Law_900", 7]
    assert [row["prompt"] for row in written][-1] == "plain"
    assert all(row["generated_result"] is row["cost"] is row["accuracy"] is None for row in written)
    judged = [row | {"accuracy": 1.0, "cost": 0.001} for row in written]
    out.write_text(json.dumps(judged))
    assert set(datasets.load(f"routerarena/{out}").names) == {"qwen-flash", "qwen-plus", "qwen-max"}
    (tmp_path / "router_data.json").write_text('[{"global index": 1}]')
    broken = _run(*arguments)
    assert broken.returncode == 2 and "row 1, field prompt: str was expected" in broken.stderr


def test_a_failed_notebook_is_status_1(tmp_path):
    """The report is made, the failure is on it, and the exit status says so."""
    code = (
        "import pathlib, sys; from toolkit import cli, paths\n"
        "paths.notebooks_dir = lambda: pathlib.Path(sys.argv[1])\n"
        "sys.exit(cli.main(sys.argv[2:]))"
    )
    (tmp_path / "nb").mkdir()
    lines = [f'{name}: str = ""  # text' for name in ("dataset", "profile", "device", "out")]
    parameters = "\n".join([*lines, "seed: int = 0  # whole"])
    write_notebook(tmp_path / "nb" / "00_fail.ipynb", "raise ValueError('on purpose')", parameters)
    command = [sys.executable, "-c", code, str(tmp_path / "nb"), "report", "--dataset", "synthetic?prompts=100"]
    options = ["--device", "cpu", "--profile", "smoke", "--out", str(tmp_path / "reports")]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "FAILED" in done.stdout and "on purpose" in done.stdout
    assert done.stdout.strip().splitlines()[-1].endswith("index.html")


def test_the_readmes_own_router_answers_the_arena(tmp_path, synthetic, monkeypatch):
    """The class as README prints it, in a module of the user's, saved, loaded and asked."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    block = next(text for text in re.findall(r"```python\n(.*?)```", readme, re.S) if "class QuestionMarks" in text)
    (tmp_path / "mine.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    router_class = importlib.import_module("mine").QuestionMarks
    save_router(router_class().fit(synthetic), tmp_path / "router")
    (tmp_path / "queries.json").write_text(json.dumps([{"global index": 1, "prompt": "Why? How? When?"}]))
    arguments = ["arena", "router", "--queries", "queries.json", "--out", "out.json"]
    unknown = _run(*arguments, cwd=tmp_path)
    assert unknown.returncode == 2 and "--class module:Class" in unknown.stderr
    done = _run(*arguments, "--class", "mine:QuestionMarks", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text())[0]["prediction"] == "qwen-max"
    assert _run(*arguments, "--class", "absent:Nothing", cwd=tmp_path).returncode == 2


def test_a_saved_router_routes_english_and_chinese_from_the_command_line(tmp_path, synthetic):
    save_router(LEARNED["ridge"]().fit(synthetic.sample(300)), tmp_path / "router")
    prompts = ["Prove that the square root of 2 is irrational.", "把这句话翻译成英文：今天天气很好。"]
    done = _run("route", "--router", "router", "--json", *prompts, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    decisions = [json.loads(line) for line in done.stdout.splitlines()]
    router = load_router(tmp_path / "router")
    for prompt, decision in zip(prompts, decisions, strict=True):
        assert decision == asdict(router.route(prompt))
        assert set(decision["scores"]) == {"qwen-flash", "qwen-plus", "qwen-max"}
    cheapest = _run("route", "--router", "router", "--weight", "inf", prompts[0], cwd=tmp_path)
    assert cheapest.stdout.startswith("qwen-flash\n") and "per 1,000 calls" in cheapest.stdout
    absent = _run("route", "--router", "nowhere", "text", cwd=tmp_path)
    assert absent.returncode == 2 and "a saved router was expected" in absent.stderr


def test_a_file_of_policies_routes_a_conversation(tmp_path):
    """The last turn decides, whatever was said before, and every mistake is one sentence."""
    routes = """
default: qwen-plus
models: [qwen-flash, qwen-plus, qwen-max]
routes:
  - {name: code, description: "Writing, explaining or repairing programs and scripts.", model: qwen-max}
  - {name: translation, description: Putting a text into another language., model: qwen-flash}
"""
    (tmp_path / "routes.yml").write_text(routes)
    turns = [
        {"role": "user", "content": "How do I say good morning in Italian?"},
        {"role": "assistant", "content": "Buongiorno."},
        {"role": "user", "content": [{"type": "text", "text": "Write a Python script that prints it."}]},
    ]
    (tmp_path / "messages.json").write_text(json.dumps(turns))
    command = ["route", "--policies", "routes.yml", "--json", "--messages", "messages.json", turns[0]["content"]]
    done = _run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text, conversation = map(json.loads, done.stdout.splitlines())
    assert (text["route"], text["model"]) == ("translation", "qwen-flash")
    assert (conversation["route"], conversation["model"]) == ("code", "qwen-max")
    (tmp_path / "wrong.yml").write_text(routes.replace("model: qwen-max", "model: gpt"))
    for mistake, message in (
        (["--policies", "wrong.yml", "text"], "route 'code' names the model 'gpt'"),
        (["--policies", "routes.yml"], "a prompt, or --messages FILE"),
        (["--policies", "routes.yml", "--messages", "absent.json"], "No such file"),
        (["--policies", "routes.yml", "--model", "no/such", "text"], "hf download no/such"),
        (["--policies", "routes.yml", "--decide", "tree", "text"], "--decide has no effect beside an encoder"),
        (["--policies", "routes.yml", "--model", "no/such", "--turns", "2", "text"], "--turns has no effect"),
        (["--policies", "routes.yml", "--weight", "1", "text"], "needs costs"),
    ):
        refused = _run("route", *mistake, cwd=tmp_path)
        assert refused.returncode == 2 and message in refused.stderr and refused.stderr.count("\n") == 1


def test_who_stops_reading_sees_no_traceback():
    asked = [sys.executable, "-m", "toolkit", "data"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode and not complaint, "what nobody read is no success"
