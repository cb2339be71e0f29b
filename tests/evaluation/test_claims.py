"""The ledger: every figure of the survey is in it once a section, and a wrong row is named."""

import csv
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.evaluation import claims
from toolkit.evaluation.claims import audit, published

# The survey's figures by section, read off it by hand: ranges as "low-high", open ones with < or >.
FIGURES = {
    "summary": ["85-92 %", "1-5 ms", "85 %", "93 %", "50-100 ms"],
    "1.1": [
        *(
            "1-5 ms",
            "14 %",
            "85 %",
            "54 %",
            "14 %",
            "35 %",
            "35 %",
            "110 million",
            "512 tokens",
            "2 classes",
            "2 models",
        ),
        "3 routers",
    ],
    "1.2": ["93 %", "85 %", "7.71 %", "1.5 billion", "50-100 ms", "43 thousand samples"],
    "2": ["110 million", "1.5 billion", "1-5 ms", "50-100 ms", "85-92 %", "93 %", "2 models"],
    "3.1": ["<10 ms", "70 %", "85-92 %", "50-85 %", "<5 ms"],
    "4": ["3 ms", "5-10 ms", "1-5 ms", "90 %", "85-92 %", ">70 %", "85 %", ">40 models", "2 models"],
    "5.1": ["<5 ms", ">85 %"],
}
NAMES = {  # and what it names without a number
    "summary": [],
    "1.1": ["MF", "BERT-base-uncased", "1 is the strong model", "Chatbot Arena", "lm-sys/routellm-bert"],
    "1.2": ["Llama", "GPU", "katanemo/Arch-Router-1.5B", "any, added without training"],
    "2": [
        *("BERT classifier", "generative language model", "random forest", "any, added without training", "many"),
        *("CPU", "GPU", "CPU"),
    ],
    "3.1": ["CPU"],
    "4": ["BERT, bandit, cache", "faster", "equal", "larger"],  # the last three: BERT beside tx402
    "5.1": ["qwen-flash", "qwen-max"],
}


def _written(row: pd.Series) -> str:
    low, high = row["low"], row["high"]
    if np.isnan(low) or np.isnan(high):
        return f"{'<' if np.isnan(low) else '>'}{np.nansum([low, high]):g} {row['unit']}"
    return f"{low:g} {row['unit']}" if low == high else f"{low:g}-{high:g} {row['unit']}"


@pytest.mark.parametrize("section", claims.SECTIONS)
def test_the_ledger_has_the_survey_s_figures_and_no_other(section):
    ledger = claims.ledger()
    rows = ledger[ledger["section"] == section]
    numbers = rows[rows["unit"] != ""]
    assert sorted(_written(row) for _, row in numbers.iterrows()) == sorted(FIGURES[section])
    assert sorted(rows.loc[rows["unit"] == "", "value"]) == sorted(NAMES[section])


def test_every_row_names_a_check_a_source_and_what_would_confirm_it():
    ledger = claims.ledger()
    assert set(ledger["check"]) == set(audit.CHECKS), "no check without a claim, no claim without a check"
    assert (ledger[["claim", "published", "source", "confirmed_by"]] != "").all(axis=None)
    assert ledger["claim"].str.endswith(".").all()
    assert (ledger["kind"] == "target").equals(ledger["section"] == "5.1")


def test_a_figure_that_stands_in_several_sections_is_the_same_there():
    ledger = claims.ledger()
    shared = ["source", "published", "published_low", "published_high", "published_value"]
    for _, rows in ledger.groupby(["system", "metric", "dataset", "low", "high", "value", "check"], dropna=False):
        assert len(rows.drop_duplicates(shared)) == 1, rows["id"].tolist()


def test_what_others_draw_comes_from_the_ledger():
    assert claims.LATENCY_CLAIMS_MS == {
        "tx402: classifier": (3, 3),
        "tx402: routing": (5, 10),
        "RouteLLM BERT (110M), CPU": (1, 5),
        "Arch-Router 1.5B, GPU": (50, 100),
    }
    assert claims.TX402 == {"accuracy": 0.9, "cheaper": 0.7, "models": 40, "least_ms": 8, "most_ms": 13}
    survey, theirs = claims.ARCH_ROUTER["accuracy"]
    assert survey == "93% against GPT-4's 85%" and "89.74" in theirs
    assert claims.TX402 is claims.TX402, "read once"
    with pytest.raises(AttributeError, match="NO_SUCH"):
        _ = claims.NO_SUCH
    ledger = claims.ledger()
    ledger.loc[0, "low"] = -1
    assert claims.ledger().loc[0, "low"] == 85, "a caller's copy is its own"


def test_the_advantage_is_recorded_as_the_survey_has_it_and_called_points():
    row = claims.of(claims.ledger(), "s1.2-arch-advantage")
    assert row["unit"] == "%" and "points of accuracy, not percent" in row["published"]


def test_a_report_is_written_without_the_ledger_and_a_missing_id_is_named(tmp_path, monkeypatch):
    code = (
        "from pathlib import Path; from toolkit import paths; paths.data_dir = lambda: Path('nowhere')\n"
        "from toolkit.evaluation import claims; from toolkit.reporting import page\n"
        "assert claims.NO_GPU and not {'TX402', 'ARCH_ROUTER', 'LATENCY_CLAIMS_MS'} & set(vars(claims))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (paths.data_dir() / "claims.csv").read_text(encoding="utf-8")
    (tmp_path / "claims.csv").write_text(text.replace("s4-tx402-classifier", "renamed"), encoding="utf-8")
    renamed = claims.read(tmp_path / "claims.csv")
    monkeypatch.setattr(claims, "_committed", lambda: renamed)
    monkeypatch.delitem(vars(claims), "TX402", raising=False)
    with pytest.raises(ToolkitError, match="'s4-tx402-classifier' was expected"):
        _ = claims.TX402


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("id", "s1.1-bert-latency", "a slug of its own"),
        ("id", "Not A Slug", "a slug of its own"),
        ("section", "1.3", "one of summary"),
        ("kind", "guess", "one of claim, target"),
        ("low", "many", "a number"),
        ("high", "80", "at least low"),
        ("unit", "", "a unit"),
        ("within", "", "a tolerance"),
        ("value", "also a text", "a number in low or high"),
        ("source", "", "a value"),
        ("check", "", "a value"),
        ("published_high", "1", "at least published_low"),
    ],
)
def test_a_wrong_row_is_told_by_row_and_column(tmp_path, column, value, says):
    with (paths.data_dir() / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    number = 1 if column != "published_high" else 1 + [row["id"] for row in rows].index("s1.1-mt-calls")
    if value == "s1.1-bert-latency":
        number = 1 + max(k for k, row in enumerate(rows) if row["id"] != value)
    rows[number - 1][column] = value
    path = tmp_path / "claims.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ToolkitError, match=f"row {number}, field {column}: {says}"):
        claims.read(path)


def test_published_points_and_the_two_denominators():
    rows = published.table().set_index(["dataset", "router", "training"])
    mf = rows.loc["routellm/mt_bench", "MF", "arena and judge"]
    assert [published.share_for(level, mf) for level in (0, 0.5, 0.8, 1)] == [0, 0.134, 0.3131, 1]
    assert published.share_for(0.65, mf) == pytest.approx((0.134 + 0.3131) / 2)
    assert published.cost_cut(np.array([0.0, 1.0])) == pytest.approx([1 - 0.24 / 24.7, 0])
    assert published.cost_cut(0.54) == pytest.approx(0.4555, abs=5e-5), "54% of calls are no cut of 14%"
    causal, chance = rows.loc["routellm/mmlu", "causal LLM", "arena and gold"], rows.loc["routellm/mmlu", "random", ""]
    assert chance["cpt80"] / causal["cpt80"] == pytest.approx(1.14, abs=5e-3), "the paper's 1.14, in calls"
    assert published.over_random(causal["cpt80"], chance["cpt80"]) == pytest.approx(1.135, abs=5e-4)
