"""Two runs side by side: how they were made, then what changed, for the terminal and as CSV, Markdown, HTML or JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import run_differences
from toolkit.evaluation.metrics import METRICS, TIMED
from toolkit.paths import write_text
from toolkit.reporting import page, present, settings, tables, terminal
from toolkit.reporting.reading import Run

FORMATS = (".csv", ".md", ".html", ".json")
_LEAST_BOOTSTRAPS = 1000
_FRAMES = ("settings", "paired", "unpaired", "one_sided", "coverage")
_CHANGES = {"quality_change": "quality", "cost_change_usd_per_1k": "USD/1k"}  # metric -> what heads its columns


@dataclass(frozen=True)
class Compared:
    """What two runs have to say to each other, the earlier one first.

    Attributes:
        a, b: names of the runs.
        settings: of ``settings.differing``.
        paired, unpaired, one_sided, coverage: of ``run_differences``; ``unpaired`` is empty unless it is asked for.
        notes: sentences that a reader must know before the figures.
    """

    a: str
    b: str
    settings: pd.DataFrame
    paired: pd.DataFrame
    unpaired: pd.DataFrame
    one_sided: pd.DataFrame
    coverage: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """How many differences there are and how many hold, in one sentence."""
        tested = self.paired.dropna(subset="p_holm")
        if tested.empty:
            return "Nothing to pair: no system of one data set and analysis has an operating point that both runs kept."
        holds, same = (tested["p_holm"] < 0.05).sum(), (tested[["value", "ci_low", "ci_high"]] == 0).all(axis=1).sum()
        return (
            f"Of {len(tested)} paired differences {holds} hold (Holm p < .05 over all of them), {same} are 0 on every "
            f"prompt, and {len(tested) - holds - same} could be chance."
        )


@dataclass(frozen=True)
class Section:
    """A heading, a sentence, and a table of texts (empty where there is none)."""

    title: str
    text: str
    table: pd.DataFrame


def compare(
    a: Run, b: Run, all_points: bool = False, metrics: Sequence[str] = (), latency: bool = False, force: bool = False
) -> Compared:
    """Set two runs beside each other.

    Args:
        a, b: the earlier and the later run.
        all_points: every operating point that both kept, instead of each system's headline one.
        metrics: measurements to set beside each other, unpaired.
        latency: all of ``metrics.TIMED`` as well.
        force: allow those across different hardware.

    Raises:
        ToolkitError: an unknown metric, or one of time or memory across different hardware.
    """
    asked = list(dict.fromkeys([*metrics, *(sorted(TIMED) if latency else [])]))
    other = _refuse(a, b, asked, force)
    before, after = _choices(a), _choices(b)
    bootstraps = max(_LEAST_BOOTSTRAPS, *(run.manifest.get("bootstraps", 0) for run in (a, b)))
    paired = run_differences.paired(before, after, all_points, bootstraps)
    coverage = run_differences.coverage(before, after)
    notes = _notes(a, b, coverage, paired)
    if other:
        notes.append(f"Time and memory come from different hardware: {'; '.join(other)}.")
    return Compared(
        a=a.name,
        b=b.name,
        settings=settings.differing(a, b),
        paired=paired,
        unpaired=run_differences.unpaired(a.measurements, b.measurements, asked),
        one_sided=run_differences.one_sided(before, after),
        coverage=coverage,
        notes=tuple(notes),
    )


def _refuse(a: Run, b: Run, asked: Sequence[str], force: bool) -> list[str]:
    """Refuse metrics that there are not, and those of time and memory where machines differ; in what, if forced."""
    if unknown := [name for name in asked if name not in METRICS]:
        raise ToolkitError(f"--metrics {unknown[0]}: no such metric; measurements.csv of a run has their names.")
    timed = TIMED & set(asked)
    other = settings.other_hardware(a, b) if timed else []
    if other and not force:
        raise ToolkitError(
            f"Time and memory are compared on the same hardware only, and these runs differ in {'; '.join(other)}. "
            f"Leave {'--latency' if timed == TIMED else ', '.join(sorted(timed))} out, or add --force."
        )
    return other


def _choices(run: Run) -> pd.DataFrame:
    """None where a notebook judged no router."""
    written = (run.path / tables.CHOICES).is_file()
    return run.choices if written else pd.DataFrame(columns=tables.COLUMNS[tables.CHOICES])


def _notes(a: Run, b: Run, coverage: pd.DataFrame, paired: pd.DataFrame) -> list[str]:
    bare = ", ".join(side for side, run in (("A", a), ("B", b)) if not run.manifest)
    notes = [f"Without a manifest, so of its settings only what its rows say is known: {bare}."] if bare else []
    data = [run.manifest.get("data", {}) for run in (a, b)]
    for label in data[0].keys() & data[1].keys():
        ours, theirs = (one[label].get("sha256", "") for one in data)
        if ours != theirs:
            notes.append(
                f"{label}: the data differ ({ours[:12]}, {theirs[:12]}); prompts are paired by their names, whatever "
                "else has changed in them."
            )
    for label in a.recommended.keys() & b.recommended.keys():
        if (ours := a.recommended[label]) != (theirs := b.recommended[label]):
            notes.append(f"{label}: the recommendation differs, {ours} in A and {theirs} in B (notebook 11 says why).")
    for row in coverage.itertuples():
        if not row.a == row.b == row.both:
            counts = f"{row.a:,} prompts in A, {row.b:,} in B, {row.both:,} in both, which alone are compared"
            notes.append(f"{row.dataset}, {row.analysis}: {counts}.")
    dropped = paired[paired["dropped"] > 0]
    for (dataset, analysis, metric), rows in dropped.groupby(["dataset", "analysis", "metric"], sort=False):
        least, most = rows["dropped"].min(), rows["dropped"].max()
        counts = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        notes.append(f"{dataset}, {analysis}: {counts} pairs without a known {_CHANGES[metric]} are left out.")
    return sorted(notes)


def figures(compared: Compared, b: Run) -> pd.DataFrame:
    """What bars are held against: the paired differences, with ``operating_point`` in params, and B's measurements."""
    params = [tables.canonical({"operating_point": point}) for point in compared.paired["operating_point"]]
    return pd.concat([compared.paired.assign(params=params), b.measurements], ignore_index=True)


def sections(compared: Compared) -> list[Section]:
    """What every output shows, in this order: settings, paired tables, unpaired ones, systems of one run alone."""
    made = compared.settings[["kind", "what"]].assign(
        A=compared.settings["in_a"].map(settings.short), B=compared.settings["in_b"].map(settings.short)
    )
    found = [Section("How they were made", "" if len(made) else "Nothing differs in parameters or environment.", made)]
    for (dataset, analysis), rows in compared.paired.groupby(["dataset", "analysis"], sort=False):
        text = f"{rows['n'].max():,} prompts paired; a change is B minus A."
        found.append(Section(f"{dataset}: {analysis}", text, _wide(rows)))
    for (notebook, dataset), rows in compared.unpaired.groupby(["notebook", "dataset"]):
        text = "Not paired: each figure has its own interval."
        found.append(Section(f"{notebook}: {dataset}", text, _beside(rows)))
    alone = compared.one_sided.groupby(["run", "dataset", "analysis"], sort=False)["system"]
    listed = alone.agg(", ".join).rename("systems").reset_index()
    if len(listed):
        found.append(Section("Systems that one run alone judged", "", listed))
    return found


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Systems as rows, those that changed most surely first; of every metric A, B, the change and its p value."""
    order = rows.groupby(["system", "operating_point"], sort=False)["p"].min().sort_values(kind="stable").index
    wide = order.to_frame(index=False).rename(columns={"operating_point": "point"})
    for metric, what in _CHANGES.items():
        mine = rows[rows["metric"] == metric].set_index(["system", "operating_point"])
        if len(mine):
            cells = [_cells(mine.loc[key]) if key in mine.index else ("–",) * 4 for key in order]
            wide[[f"{what} A", f"{what} B", f"{what} B−A", f"p ({what})"]] = cells
    return wide


def _cells(row: pd.Series) -> tuple[str, str, str, str]:
    if not row["n"]:
        return ("–",) * 4
    values = [present.figure_texts([row[side]], row["unit"])[0] for side in ("a", "b")]
    star = " *" if row["p_holm"] < 0.05 else ""
    return *values, _signed(row) + star, f"{row['p_holm']:.2g}"


def _signed(row: pd.Series) -> str:
    """``+value [low, high]``, and a bare 0 where nothing changed on any prompt."""
    if row["value"] == row["ci_low"] == row["ci_high"] == 0:
        return "0"
    text = present.interval(row["value"], row["ci_low"], row["ci_high"], row["unit"])
    return "+" + text if row["value"] > 0 else text


def _beside(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[["system", "metric", "analysis", "conditions"]].assign(
        metric=[METRICS[name].label for name in rows["metric"]]
    )
    for side in ("a", "b"):
        columns = [f"{name}_{side}" for name in ("value", "ci_low", "ci_high")]
        table[side.upper()] = [present.interval(*row) for row in rows[[*columns, "unit"]].itertuples(index=False)]
    return table if table["conditions"].any() else table.drop(columns="conditions")


def show(compared: Compared) -> None:
    """Print all of it."""
    print(f"A: {compared.a}\nB: {compared.b}\n\n{compared.summary}")
    for note in compared.notes:
        print(f"Mind: {note}")
    for section in sections(compared):
        print(f"\n{section.title}" + (f"\n{section.text}" if section.text else ""))
        if len(section.table):
            terminal.show(section.table)
    print(f"\n{_DEFINITION}")


_DEFINITION = METRICS["quality_change"].definition


def checked_format(path: Path) -> None:
    """Refuse a file that nothing can be written to.

    Raises:
        ToolkitError: its ending is none of ``FORMATS``, or its folder is missing.
    """
    if path.suffix not in FORMATS or not path.parent.is_dir():
        endings = ", ".join(FORMATS)
        raise ToolkitError(f"--out {path}: a file ending in {endings} was expected, in a folder that is there.")


def write(compared: Compared, path: Path) -> None:
    """Write all of it in the format of the path's ending.

    CSV holds the tidy rows, a column ``section`` saying which table each is of; JSON holds the same as lists of rows.
    """
    writers = {".csv": _csv, ".md": _markdown, ".html": _html, ".json": _json}
    write_text(path, writers[path.suffix](compared))


def _csv(compared: Compared) -> str:
    frames = [getattr(compared, name).assign(section=name) for name in _FRAMES]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[["section", *stacked.columns.drop("section")]].to_csv(index=False, lineterminator="\n")


def _json(compared: Compared) -> str:
    rows = {name: json.loads(getattr(compared, name).to_json(orient="records")) for name in _FRAMES}
    told = {"a": compared.a, "b": compared.b, "summary": compared.summary, "notes": list(compared.notes)}
    return json.dumps(told | rows, indent=1, ensure_ascii=False) + "\n"


def _markdown(compared: Compared) -> str:
    lines = ["# What changed between two runs", f"A: `{compared.a}`  \nB: `{compared.b}`", f"**{compared.summary}**"]
    lines += ["\n".join(f"- {note}" for note in compared.notes)] if compared.notes else []
    for section in sections(compared):
        lines += [f"## {section.title}", *([section.text] if section.text else [])]
        if len(section.table):
            lines.append(present.as_markdown(section.table))
    return "\n\n".join([*lines, _DEFINITION]) + "\n"


def _html(compared: Compared) -> str:
    shown = [
        (one.title, one.text, page.as_html(one.table.set_index(one.table.columns[0])) if len(one.table) else "")
        for one in sections(compared)
    ]
    return page.render("compare.html", compared=compared, sections=shown, definition=_DEFINITION)
