"""The pages of a run: the index, a page per notebook without code, the list of runs."""

import ast
import hashlib
import html
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pandas as pd

from toolkit import figures
from toolkit.evaluation.claims import NO_GPU
from toolkit.paths import write_text
from toolkit.reporting import present, tables
from toolkit.reporting.execute import Result
from toolkit.reporting.run import LEAD

_WIDGET = "application/vnd.jupyter.widget-view+json"
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("toolkit.reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Labels of data sets as parts of folder names, no two alike: where letters do not tell them apart, a hash does."""
    plain = {label: re.sub(r"[^A-Za-z0-9._]+", "-", label).strip("-.").lower()[:60] for label in labels}
    named = {}
    for label, slug in plain.items():
        clear = list(plain.values()).count(slug) == 1 and re.search(r"[a-z0-9]", slug.partition(".")[0])
        named[label] = slug if clear else f"{slug}-{hashlib.sha256(label.encode()).hexdigest()[:6]}".lstrip("-")
    return named


def write_notebook(folder: Path, executed: str, title: str, result: Result, of_sweep: bool = False) -> Path:
    """The executed notebook as HTML without code; where it failed, the failure first and what was done after it."""
    body, source = "", folder / executed
    if source.is_file():
        from nbconvert import HTMLExporter

        notebook = nbformat.read(source, as_version=4)
        notebook.metadata.pop("widgets", None)  # what a page could only show with scripts from elsewhere
        notebook.cells = [cell for cell in notebook.cells if not _is_papermill_banner(cell)]
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code" and not result.error):
            cell.outputs = [_unquoted(output) for output in cell.outputs if not _is_noise(output)]
        exporter = HTMLExporter(
            template_name="basic", exclude_input=True, exclude_output_prompt=True, exclude_input_prompt=True
        )
        body, _ = exporter.from_notebook_node(notebook)
    return _write(folder / "notebook.html", "notebook.html", title=title, body=body, result=result, of_sweep=of_sweep)


def write_failure(folder: Path, title: str, result: Result, of_sweep: bool = False) -> Path:
    """A page for a part that failed outside its notebook."""
    folder.mkdir(parents=True, exist_ok=True)
    return _write(folder / "notebook.html", "notebook.html", title=title, body="", result=result, of_sweep=of_sweep)


def render(template: str, **content: Any) -> str:
    """A page from one of the templates; texts are escaped."""
    return _ENVIRONMENT.get_template(template).render(**content)


def _write(target: Path, template: str, **content: Any) -> Path:
    """Render a template so that a reader sees the old page or the whole new one."""
    write_text(target, render(template, **content))
    return target


def _is_noise(output: nbformat.NotebookNode) -> bool:
    """Warnings of libraries, which are for the notebook itself, prints of nothing, and controls, dead on a page."""
    silent = output.get("name") == "stdout" and not output.text.strip()
    return output.get("name") == "stderr" or silent or _WIDGET in output.get("data", {})


def _unquoted(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A sentence that is a cell's value stands on the page as a sentence, not as Python writes it."""
    data = output.get("data", {})
    if set(data) == {"text/plain"} and data["text/plain"][:1] in "'\"":
        with suppress(ValueError, SyntaxError):
            data["text/plain"] = str(ast.literal_eval(data["text/plain"]))
    return output


def _is_papermill_banner(cell: nbformat.NotebookNode) -> bool:
    """papermill marks a failure with banners of its own; ours stands on top of the page."""
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def write_index(
    folder: Path, described: dict[str, Any], gathered: dict[str, pd.DataFrame], notes: dict[str, tuple[str, ...]]
) -> Path:
    """The run's front page, from its tables and figures alone."""
    measurements = gathered[tables.MEASUREMENTS]
    shown = present.glossary(list(measurements["metric"]))
    sections = [
        _section(folder, name, facts, described, measurements, notes[name]) for name, facts in described["data"].items()
    ]
    return _write(
        folder / "index.html",
        "index.html",
        run=folder.name,
        described=described,
        leads=[lead for part in described["notebooks"] for lead in _lead(folder, part["folder"])],
        sections=sections,
        glossary=shown,
        tables=list(tables.COLUMNS),
    )


def _section(
    folder: Path, name: str, facts: dict, described: dict, measurements: pd.DataFrame, notes: tuple[str, ...]
) -> dict[str, Any]:
    """What the front page shows of one data set."""
    rows = tables.unfold(measurements[measurements["dataset"] == name])
    pair, cost = rows[rows["analysis"].isin(["pair", "without_suspect"])], rows[rows["analysis"] == "cost"]
    trained, trained_cost = (rows[rows["analysis"] == name] for name in ("trained", "trained_cost"))
    benchmarks = rows[rows["analysis"].isin(["cost", "robustness"])]
    latency, rules, online = (rows[rows["analysis"] == name] for name in ("latency", "rules", "online"))
    blocks = [
        _block(
            "Baselines on two models: share of strong calls",
            _pair_text(pair),
            pair,
            [present.PAIR_METRICS, present.RULE_METRICS],
        ),
        _block(
            f"Baselines: quality against cost ({facts['cost_source']})",
            f"{present.conclusion(cost, 'quality', 'quality_gain', 'quality')} {present.saving(cost)}",
            cost,
            [present.COST_METRICS],
        ),
        _block("Routers trained here, on two models", "", trained, [present.PAIR_METRICS]),
        _block("Routers trained here: quality against cost", "", trained_cost, [present.COST_METRICS]),
        _block(
            "Baselines by the benchmarks' own measures", "", benchmarks, [present.FRONT_METRICS, present.ARENA_METRICS]
        ),
        _block("Time of one decision", _latency_text(described["device"]), latency, [present.LATENCY_METRICS], False),
        _block("What a semantic cache gets wrong", _cache_text(rules), rules, [present.CACHE_METRICS], False),
        _block("What learning online brings", _ONLINE if len(online) else "", online, [present.ONLINE_METRICS], False),
    ]
    parts = [part for part in described["notebooks"] if part["dataset"] == name]
    # As the blocks: quality first, from the last notebook of a data set on; then what is asked once a report.
    ordered = sorted(reversed(parts), key=lambda part: "--" not in part["folder"])
    stems = [f"{part['folder']}/figures/{slug}" for part in ordered for slug in part["front"]]
    images = [_figure(folder, stem) for stem in stems if (folder / f"{stem}.png").is_file()]
    return {
        "name": name,
        "facts": facts,
        "notes": notes,
        "blocks": [b for b in blocks if b],
        "parts": parts,
        "figures": images,
    }


def _lead(folder: Path, part: str) -> list[dict[str, Any]]:
    """What a notebook says on top of the page, if it does (``Notebook.lead``)."""
    if not (folder / part / LEAD).is_file():
        return []
    said = json.loads((folder / part / LEAD).read_text(encoding="utf-8"))
    stem = f"{part}/figures/{said['figure']}"
    shown = _figure(folder, stem) if (folder / f"{stem}.png").is_file() else None
    return [{"sentence": said["sentence"], "page": f"{part}/{said['page']}", "figure": shown}]


def _figure(folder: Path, stem: str) -> dict[str, Any]:
    """A figure's files and its width on the page."""
    width = figures.page_width(folder / f"{stem}.png")
    return {"png": f"{stem}.png", "svg": f"{stem}.svg", "name": Path(stem).name.replace("_", " "), "width": width}


def _pair_text(pair: pd.DataFrame) -> str:
    if pair.empty:
        return ""
    weak, strong = json.loads(pair["params"].iloc[0])["models"]
    return f"Weak: {weak}. Strong: {strong}. " + present.conclusion(pair, "apgr", "apgr_gain", "APGR")


def _latency_text(device: str) -> str:
    gpu = "GPU: see notebook 04." if device == "cuda" else f"GPU: {NO_GPU}."
    return (
        "Text in, model out, one prompt at a time, on the processor in the manifest. Speedups are ratios of one "
        f"run; networks without weights at hand are timed with random ones of the exact shape. {gpu}"
    )


_ONLINE = (
    "Each learner is told the quality of its own answers only; regret is utility given away against the best that a "
    "prompt allows, intervals are over seeds. What is claimed of tx402 stands beside its emulation in notebook 06."
)


def _cache_text(rules: pd.DataFrame) -> str:
    if rules.empty:
        return ""
    texts = json.loads(rules["params"].iloc[0])["texts"]
    return (
        f"Paraphrases: {texts}. Thresholds are judged on other classes of meaning than they were chosen on. "
        "Guaranteed ones are proven to keep their share of wrong hits, or the tier is off (none). See notebook 05."
    )


def _block(
    title: str, text: str, rows: pd.DataFrame, metric_sets: list[tuple[str, ...]], judged: bool = True
) -> dict[str, Any] | None:
    """Text and tables of one question, None without rows; ``judged`` adds how many prompts were, and the notes."""
    wides = [wide for metrics in metric_sets if not (wide := present.wide(rows, metrics)).empty]
    if not wides:
        return None
    if judged:
        told = "; ".join(note for note in rows["note"].unique() if note)
        text = f"{text} {rows['n'].max():,.0f} prompts judged." + (f" Mind: {told}." if told else "")
    return {"title": title, "text": text, "tables": [as_html(wide) for wide in wides]}


def as_html(table: pd.DataFrame) -> str:
    """A wide table as HTML, text escaped, intervals in a fainter type."""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in ["", *table.columns])
    body = []
    for name, row in table.iterrows():
        cells = "".join(f"<td>{_cell(str(value))}</td>" for value in row)
        body.append(f"<tr><th>{html.escape(str(name))}</th>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(text: str) -> str:
    value, bracket, rest = html.escape(text).partition(" [")
    interval, _, star = rest.partition("]")
    return f"<b>{value}</b>{star} <small>[{interval}]</small>" if bracket else value


def write_runs(root: Path) -> Path:
    """``index.html`` of the folder of runs, made anew from the manifests; unfinished runs are named as such."""
    runs = []
    for path in sorted((p for p in root.iterdir() if (p / "config.json").is_file()), reverse=True):
        manifest = path / "manifest.json"
        runs.append(
            {
                "name": path.name,
                "manifest": json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else None,
            }
        )
    return _write(root / "index.html", "runs.html", runs=runs)
