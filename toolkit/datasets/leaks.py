"""Questions that stand in the train part and in the test part of a source."""

import pandas as pd


def without_leaks(rows: pd.DataFrame, drop: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """Drop training rows whose text stands in the test part too; (rows, notes).

    Args:
        rows: with ``text`` and ``split``.
        drop: False keeps them; evaluation leaves them out of fitting all the same.
    """
    train = rows["split"] == "train"
    leaked = train & rows["text"].isin(rows.loc[rows["split"] == "test", "text"])
    count = int(leaked.sum())
    if not count:
        return rows, []
    if not drop:
        return rows, [f"{count} training rows repeat a test question and were kept."]
    return rows[~leaked].reset_index(drop=True), [f"{count} training rows that repeat a test question were dropped."]
