"""Tables and sentences for people say what the rows say, no more."""

import numpy as np
import pandas as pd
import pytest

from toolkit.reporting import page, present


def _rows(*rows) -> pd.DataFrame:
    columns = ["system", "metric", "value", "ci_low", "ci_high", "unit", "sees", "opponent", "p_holm"]
    return pd.DataFrame(rows, columns=columns).assign(note="")


NAN = np.nan
ROWS = _rows(
    ("knn", "quality", 0.81234, 0.8, 0.82, "quality", "text", NAN, NAN),
    ("knn", "quality_gain", 0.0123, 0.002, 0.0211, "quality", "text", "big;v1 against all", 0.01),
    ("big;v1 against all", "quality", 0.80004, 0.79, 0.81, "quality", "nothing", NAN, NAN),
    ("oracle", "quality", 0.95, 0.94, 0.96, "quality", "outcomes", NAN, NAN),
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.58374, "PGR", "0.584"),
        (1.2854, "PGR", "1.29"),
        (2473.8, "USD", "2,474"),
        (0.00281, "quality", "0.0028"),
        (-0.0913, "quality", "\N{MINUS SIGN}0.091"),
        (0.3672, "share of strong calls", "36.7%"),
        (0.0, "quality", "0.000"),
    ],
)
def test_three_significant_figures(value, unit, text):
    assert present.figure_texts([value], unit) == [text]


def test_wide_tables_carry_intervals_stars_and_what_a_router_sees():
    table = present.wide(ROWS, ("quality", "quality_gain"))
    assert table.index.tolist() == ["oracle", "knn", "big;v1 against all"]
    assert table.loc["knn"].tolist() == ["text", "0.812 [0.800, 0.820]", "+0.012 [0.002, 0.021] *"]
    assert table.loc["big;v1 against all", "quality gain"] == "–"


def test_conclusions_never_oversell():
    sentence = present.conclusion(ROWS, "quality", "quality_gain", "quality")
    assert "knn" in sentence and "a gain that holds" in sentence and "oracle" not in sentence
    unsure = ROWS.assign(p_holm=20 * ROWS["p_holm"])
    assert "could be chance" in present.conclusion(unsure, "quality", "quality_gain", "quality")
    worse = ROWS.assign(value=np.where(ROWS["metric"] == "quality_gain", -0.01, ROWS["value"]))
    sentence = present.conclusion(worse, "quality", "quality_gain", "quality")
    assert sentence.startswith("No router that reads text only is better than big;v1 against all")


def test_names_from_data_cannot_write_html():
    evil = ROWS.assign(system=ROWS["system"].replace("knn", "<script>alert(1)</script>"))
    html = page.as_html(present.wide(evil, ("quality",)))
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_offensive_words_are_hidden_and_no_others():
    table = pd.DataFrame(
        {"asked": ["What the Fucking shit is sexism?", "A title of class analysis, assumed spicy"], "n": [1, 2]}
    )
    hidden = present.masked(table)
    assert hidden["asked"].tolist() == ["What the F****** s*** is s*****?", "A title of class analysis, assumed spicy"]
    assert hidden["n"].tolist() == [1, 2]
