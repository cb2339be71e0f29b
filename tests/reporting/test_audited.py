"""The claims command and what the audit leaves behind."""

import json

import pandas as pd
import pytest

from tests.benchmarks import runs
from toolkit import paths
from toolkit.cli import main
from toolkit.evaluation import claims
from toolkit.evaluation.claims import audit
from toolkit.evaluation.claims import corrections as recomputed
from toolkit.evaluation.metrics import TIMED
from toolkit.reporting import audited, reading, tables
from toolkit.reporting.notebook import Notebook


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run with one measurement, and no upstream data at hand."""
    monkeypatch.setattr(recomputed, "at_hand", dict)
    row = {"notebook": "04_measure_latency", "dataset": "synthetic", "split": "", "n": 6, "seed": 0, "device": "cpu"}
    row |= {"system": "BERT-base classifier, plain", "metric": "p50_ms", "value": 80.0, "ci_low": 60.0, "ci_high": 90.0}
    row |= {"unit": "ms", "params": '{"analysis":"latency"}', "note": ""}
    tables.write(tmp_path, tables.MEASUREMENTS, pd.DataFrame([row]))
    (tmp_path / "manifest.json").write_text(json.dumps({"schema_version": 1}), encoding="utf-8")
    return tmp_path


def test_claims_prints_the_verdicts_of_a_run(run, capsys):
    assert main(["claims", str(run)]) == 0
    told = capsys.readouterr().out
    assert all(f"section {name}" in told for name in claims.SECTIONS)
    assert "BERT-base classifier, plain 80 ms [60, 90]" in told
    assert main(["claims", str(run), "--section", "5.1"]) == 0
    told = capsys.readouterr().out
    assert "section 5.1" in told and "section 1.1" not in told and "\n4 claims: " in told


def test_claims_refuses_what_is_no_run_or_section(tmp_path, run, capsys):
    assert main(["claims", str(tmp_path / "nowhere")]) == 2
    assert main(["claims", str(run), "--section", "1.3"]) == 2
    assert "--section takes one of summary" in capsys.readouterr().err


def test_the_file_and_the_table_hold_every_claim(run):
    found = audited.of_run(reading.read(run))
    written = pd.read_csv(audited.write(found, run), dtype={"section": str})
    assert written["id"].tolist() == claims.ledger()["id"].tolist()
    page = audited.table(found).to_html()
    assert page.count("<tr") >= len(found) and "white-space: normal" in page
    assert "at hand" in audited.corrected(recomputed.corrections({}))
    assert "SYNTHETIC" in audited.caption(reading.read(run).measurements)


def test_the_bar_of_the_claims_falls_with_a_committed_file_that_lacks_one(run, monkeypatch, capsys):
    monkeypatch.setattr(paths, "example_dir", lambda: run.parent)
    assert runs.lacks("claims") == ""
    committed = run / "10_audit_claims"
    committed.mkdir()
    found = audited.of_run(reading.read(run))
    name = f"claims_{run.name}_committed_without_verdict_or_evidence"
    first, empty = found.drop(index=3), found.assign(evidence=found["evidence"].where(found["id"] != "s2-rorf-type"))
    for kept, count in ((found, 0), (first, 1), (empty, 1), (found.iloc[:0], len(found))):
        audited.write(kept, committed)
        runs.claims()
        told = capsys.readouterr().out
        assert f"{name} {count} nan nan <=0 {'short' if count else 'ok'}" in told
        assert f"claims_{run.name}_judged_without_verdict_or_evidence 0" in told
    (committed / "claims.csv").unlink()
    runs.claims()
    assert f"{name} {len(found)} " in capsys.readouterr().out


def test_only_verdicts_that_rest_on_times_need_not_repeat(run):
    book = Notebook("10_audit_claims", "synthetic", "smoke", 0, "cpu", str(run / "again"))
    counted = audit.count_rows(audited.of_run(reading.read(run)))
    book.measure(counted, by=("section", "basis", "timed"), analysis="claims")
    kept, left = runs._rows(book.save() / tables.MEASUREMENTS)
    assert left["claims"] == counted["timed"].sum() > 0 and len(kept) == (~counted["timed"]).sum() > 0
    assert "claims" not in TIMED
