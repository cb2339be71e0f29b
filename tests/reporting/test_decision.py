"""The decision report: the same words in both languages, the same numbers as the decision, files beside no run."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from toolkit import paths
from toolkit.cli import main
from toolkit.errors import ToolkitError
from toolkit.evaluation import decision as decisions
from toolkit.evaluation.decision import Constraints
from toolkit.evaluation.decision.statements import number, say
from toolkit.reporting import decision, reading
from toolkit.reporting.decision import printing
from toolkit.reporting.decision.document import document
from toolkit.reporting.decision.language import LANGUAGES, Wording

EVIL = "<b>small|</b>"
WORDS = Path(decision.__file__).parent / "wording"


def _choices() -> pd.DataFrame:
    """``large`` is right; ``small``, at a tenth of the cost, is wrong on every fourth prompt, which ``knn`` knows."""
    prompts = [f"{row:016x}" for row in range(240)]
    hard, frames = np.arange(240) % 4 == 0, []
    everything, nothing = np.ones(240, bool), np.zeros(240, bool)
    for system, point, large in (
        ("large", "rule", everything), (EVIL, "rule", nothing), ("length-rule", "rule", np.roll(hard, 1)),
        ("knn", "0.30", hard),
    ):  # fmt: skip
        told = {"model": np.where(large, "large", EVIL), "quality": np.where(large | ~hard, 1.0, 0.0)}
        told |= {"cost_usd": np.where(large, 0.01, 0.001), "system": system, "operating_point": point}
        frames.append(pd.DataFrame({"prompt": prompts, "group": prompts} | told))
    return pd.concat(frames, ignore_index=True).assign(dataset="d", analysis="trained_cost", seed=0, tokens=1.0)


@pytest.fixture
def run(tiny_run) -> Path:
    asked = ("acceptance_accuracy", "simple_to_weak", "complex_to_strong")
    given = {"language": "all", "analysis": "acceptance", "models": [EVIL, "large"]}
    measured = [("knn", metric, 0.9, given) for metric in asked]
    measured += [("knn", "quality", 1.0, {"analysis": "trained_cost", "sees": "text"})]
    measured += [("knn", "p50_ms", 3.25, {"analysis": "router_latency"})]
    return tiny_run(choices=_choices(), measured=tuple(measured))


@pytest.fixture
def decided(run) -> dict:
    return decision.decided(reading.read(run), Constraints(), bootstraps=50)


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.setenv(printing.VARIABLE, "no such browser")


def _names(node) -> set[str]:
    return set(re.findall(r"{(\w+)}", str(node)))


def test_every_language_has_the_same_words_with_the_same_names_in_them():
    first, *others = (yaml.safe_load((WORDS / f"{name}.yml").read_text(encoding="utf-8")) for name in LANGUAGES)
    assert {"en", "zh"} <= set(LANGUAGES)
    for other in others:
        assert {part: list(first[part]) for part in first} == {part: list(other[part]) for part in other}
        for part in first:
            assert {key for key in first[part] if _names(first[part][key]) != _names(other[part][key])} == set()


def test_every_statement_that_can_be_made_has_words():
    statements = set(yaml.safe_load((WORDS / "en.yml").read_text(encoding="utf-8"))["statements"])
    for source in Path(decisions.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
            if called not in ("say", "_doubt", "_other") or not node.args:
                continue
            said = node.args[2] if called == "_doubt" else node.args[0]
            if isinstance(said, ast.Constant):
                assert said.value in statements, f"{source.name}: {said.value}"
            if isinstance(said, ast.JoinedStr) and (start := re.match(r"f['\"](\w+)", ast.unparse(said))):
                assert any(name.startswith(start[1]) for name in statements), ast.unparse(said)
    assert set(re.findall(r'"(why_\w+)"', (Path(decisions.__file__).parent / "survey.py").read_text())) <= statements


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_have_the_numbers_of_the_decision(decided, tmp_path, language, no_browser):
    told = []
    written = decision.write(decided, tmp_path, language, told.append)
    wording, part = Wording(language), decided["data"][0]
    assert len(told) == 1 and "pdf" not in written
    assert json.loads(written["json"].read_text(encoding="utf-8")) == decided
    html, markdown = (written[kind].read_text(encoding="utf-8") for kind in ("html", "md"))
    chosen = part["recommended"]
    assert (chosen["system"], chosen["point"]) == ("knn", "0.30")
    for found in (chosen["kept"], chosen["share"], chosen["latency"], *chosen["money"].values()):
        assert wording.figure(found) in markdown
        assert wording.figure(found).partition(" [")[0] in html
    for row in part["front"]:
        assert wording.figure(row["share"]) in markdown
    assert markdown.count("| knn |") >= 3 and "data:image/svg+xml" in html
    assert EVIL not in html and "&lt;b&gt;small|&lt;/b&gt;" in html and r"<b>small\|</b>" in markdown
    assert (tmp_path / "figures" / "decision_front.png").is_file()
    assert "{" not in decision.lead(decided, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "wanted",
    [{"quality_floor": 1.1}, {"quality_floor": 0.5}, {"latency_budget_ms": 1}, {"gpu": True}, {"reference": "large"}],
)
def test_every_answer_can_be_said(run, wanted, language):
    found = decision.decided(reading.read(run), Constraints(**wanted), bootstraps=20)
    content = document(found, Wording(language))
    texts = [*content["lead"], *(str(block) for section in content["sections"] for block in section["blocks"])]
    assert len(content["sections"]) >= 5 and not re.search(r"{\w+}", " ".join(content["lead"])) and all(texts)


def test_a_pdf_that_nobody_could_read_is_not_printed(monkeypatch):
    assert printing.lacks("en") == ""
    monkeypatch.setattr(printing, "reads_chinese", lambda: False)
    assert "no font for Chinese" in printing.lacks("zh") and printing.lacks("en") == ""


def test_a_weight_reads_as_the_command_line_takes_it():
    assert Wording("en").figure({"value": -38.125, "unit": "weight"}) == "-38.12"


def test_the_answer_in_both_languages(decided):
    answer = decision.lead(decided)
    assert answer.startswith("knn at operating point 0.30 keeps 100% of the quality of large")
    assert decision.lead(decided, "zh").startswith("knn（运行点 0.30）保住了最佳单一模型 large 质量的 100%")
    assert "d (a table of your own)" in answer


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (number(0.9712, "share", 0.95, 0.98), "97.1% [95.0, 98.0]"),
        (number(0.95, "share"), "95%"),
        (number(-333.0, "USD", -480.0, -190.0), "\N{MINUS SIGN}$333 [\N{MINUS SIGN}480, \N{MINUS SIGN}190]"),
        (number(3.25, "ms", 3.0, 3.5), "3.25 ms [3.00, 3.50]"),
        (number(float("nan"), "ms"), "–"),
        (None, "–"),
    ],
)
def test_figures_are_written_in_one_way(found, text):
    assert Wording("en").figure(found) == text


def test_claims_are_ranges_with_their_unit():
    claim = {"system": "tx402 routing", "low": 5.0, "high": 10.0, "unit": "ms", "value": ""}
    parameters = {"system": "RouteLLM BERT", "low": 110.0, "high": 110.0, "unit": "million", "value": ""}
    assert Wording("en").say(say("claim", **claim)) == "5–10 ms (routing)"
    assert Wording("en").say(say("claim", **{**claim, "system": "tx402", "high": None})) == "at least 5 ms"
    assert Wording("zh").say(say("claim", **parameters)) == "1.1 亿"


def test_the_committed_ledger_can_be_said_in_every_language(decided, tmp_path, no_browser):
    words = yaml.safe_load((WORDS / "zh.yml").read_text(encoding="utf-8"))["claim_words"]
    cells = [cell for row in decided["families"] for cell in row["dimensions"].values()]
    told = [one["with"] for cell in cells for one in cell["claimed"]]
    assert {claim["unit"] for claim in told if claim.get("unit")} <= set(words)
    assert {claim["value"] for claim in told if claim.get("value")} <= set(words)


def test_the_command_writes_beside_the_run_and_never_into_it(run, tmp_path, monkeypatch, capsys, no_browser):
    monkeypatch.chdir(tmp_path)
    before = sorted(run.rglob("*"))
    assert main(["decide", str(run), "--language", "zh", "--quality-floor", "0.9"]) == 0
    printed = capsys.readouterr().out
    assert "knn" in printed and "decision-run-zh/decision.html" in printed
    assert (
        json.loads(Path("decision-run-zh/decision.json").read_text(encoding="utf-8"))["constraints"]["quality_floor"]
        == 0.9
    )
    assert main(["decide", str(run), "--out", str(run / "decision")]) == 2
    assert main(["decide", str(run), "--language", "fr"]) == 2
    assert sorted(run.rglob("*")) == before


def test_an_unknown_language_is_refused():
    with pytest.raises(ToolkitError, match="en, zh"):
        Wording("la")


def test_a_run_without_trained_routers_says_so(tiny_run, tmp_path, no_browser):
    found = decision.decided(reading.read(tiny_run()), Constraints(), bootstraps=20)
    assert decision.lead(found).startswith("Nothing can be recommended for d")
    assert decision.write(found, tmp_path / "out", "en", lambda line: None)["html"].is_file()


@pytest.mark.slow
def test_a_browser_prints_the_page(decided, tmp_path):
    if not printing.chromium():
        pytest.skip(f"no Chromium on the path or in {printing.VARIABLE}")
    written = decision.write(decided, tmp_path, "en")
    assert written["pdf"].read_bytes().startswith(b"%PDF")


def test_words_and_templates_lie_inside_the_package():
    assert WORDS.is_relative_to(Path(paths.__file__).parent)
