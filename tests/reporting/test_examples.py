"""The committed runs: whole, of the code's own making, and without a word of other people's prompts."""

import hashlib
import json
import re

import pytest

from tests import refresh_examples
from toolkit import datasets, paths
from toolkit.evaluation.claims import ledger
from toolkit.reporting import reading
from toolkit.reporting.run import MANIFEST

ROOT = paths.example_dir()
TEXTS = (".json", ".html", ".md", ".csv")


@pytest.fixture(params=sorted(refresh_examples.EXAMPLES))
def example(request):
    return ROOT / request.param


def test_what_is_committed_is_what_the_manifest_vouches_for(example):
    run = reading.read(example)
    assert run.manifest["status"] == "complete" and run.manifest["profile"] == "quick"
    assert set(run.manifest["data"]) == set(refresh_examples.EXAMPLES[example.name])
    committed = {str(path.relative_to(example)): path for path in example.rglob("*") if path.is_file()}
    assert set(committed) - {MANIFEST} == set(run.manifest["files"])
    for name, digest in run.manifest["files"].items():
        assert hashlib.sha256(committed[name].read_bytes()).hexdigest() == digest, name
    assert {"trained", "trained_cost", "acceptance"} == set(run.choices["analysis"]) and len(run.curves)
    assert json.loads((example / "11_decide" / "decision.json").read_text(encoding="utf-8"))["data"]


def test_every_claim_is_judged_there(example):
    import pandas as pd

    found = pd.read_csv(example / "10_audit_claims" / "claims.csv", keep_default_na=False)
    assert list(found["id"]) == list(ledger()["id"])
    assert (found[["verdict", "basis", "evidence"]] != "").all(axis=None)


def test_no_prompt_is_in_it(example, upstream):
    told = "\n".join(path.read_text(encoding="utf-8") for path in example.rglob("*") if path.suffix in TEXTS)
    for name in refresh_examples.EXAMPLES[example.name]:
        outcomes = upstream(name) if name != "synthetic" else datasets.load(name)
        long = [text for text in outcomes.texts if len(text) > 60]
        assert len(long) > 500 and not any(text[:200] in told for text in long), name


def test_the_readme_beside_them_has_their_commands():
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, sets in refresh_examples.EXAMPLES.items():
        assert f"python -m tests.refresh_examples {name}" in told
        assert re.search(r"make report.*" + re.escape(" ".join(sets)), told) or sets == ("synthetic",)


@pytest.mark.parametrize("name", refresh_examples.READMES)
def test_the_answer_is_that_of_the_committed_runs(name):
    text = (ROOT.parents[1] / name).read_text(encoding="utf-8")
    assert refresh_examples.with_answer(text, name) == text
