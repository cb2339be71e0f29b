"""``python -m tests.refresh_metrics``: write docs/metrics.md from what the metrics say of themselves."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from toolkit.evaluation import metrics
from toolkit.evaluation.metrics import METRICS, Metric

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
HEAD = """# Metrics

Every metric of `measurements.csv`: its name (column `metric`), the label that heads it in tables, its unit, which
direction is better, and what it is. The same definitions stand at the foot of each report. Written by
`python -m tests.refresh_metrics` from `toolkit/evaluation/metrics/`: change it there.
"""
BETTER = {True: "higher", False: "lower", None: "neither"}


def page() -> str:
    """The page, one section for each module of metrics, in the order of ``METRICS``."""
    modules = [import_module(f"{metrics.__name__}.{found.name}") for found in iter_modules(metrics.__path__)]
    families = {name: module for module in modules for name in getattr(module, "METRICS", {})}
    parts = [HEAD]
    before = None
    for name, metric in METRICS.items():
        if families[name] is not before:
            before = families[name]
            parts.append(
                f"\n## {_heading(before.__doc__)}\n\n| metric | label | unit | better | definition |\n{'|---' * 5}|\n"
            )
        parts.append(_row(name, metric))
    return "".join(parts)


def _heading(docstring: str) -> str:
    return docstring.split(". ")[0].strip().rstrip(".")


def _row(name: str, metric: Metric) -> str:
    cells = (f"`{name}`", metric.label, metric.unit, BETTER[metric.higher_is_better], metric.definition)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
