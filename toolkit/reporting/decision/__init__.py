"""A run's decision: made of its tables, written as JSON, HTML, Markdown and PDF."""

import base64
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import pandas as pd
from IPython.display import Image
from markupsafe import Markup, escape

from toolkit import figures
from toolkit.datasets import FORMATS
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.errors import ToolkitError
from toolkit.evaluation import acceptance, claims
from toolkit.evaluation.decision import Constraints, decide
from toolkit.evaluation.decision.sentences import headline
from toolkit.evaluation.decision.statements import say
from toolkit.paths import write_text
from toolkit.reporting import page, present, tables
from toolkit.reporting.decision import printing
from toolkit.reporting.decision.document import document, drawings, slug
from toolkit.reporting.decision.language import Wording
from toolkit.reporting.reading import Run

NAME = "decision"
_MARKDOWN = jinja2.Environment(
    loader=jinja2.PackageLoader("toolkit.reporting"), undefined=jinja2.StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip


def decided(run: Run, constraints: Constraints, bootstraps: int = 1000, seed: int = 0) -> dict[str, Any]:
    """``evaluation.decision.decide`` on the tables of a run."""
    return decide(run.measurements, run.choices, run.curves, constraints, facts(run), bootstraps, seed)


def facts(run: Run) -> dict[str, Any]:
    """What tables do not tell, from the run's manifest."""
    told, queries = run.manifest, acceptance.queries()
    return {
        "run": {"name": run.name} | {key: told.get(key) for key in ("profile", "seed", "device", "finished")},
        "data": {label: one | {"own": _own(label)} for label, one in told.get("data", {}).items()},
        "machine": told.get("machine", {}),
        "claims": claims.ledger().to_dict("records"),
        "queries": queries.assign(prompt=tables.prompt_hashes("acceptance", queries["id"])).to_dict("records"),
    }


def _own(label: str) -> bool:
    """Whether a data set is neither one of ours nor a benchmark's file."""
    return label.partition("?")[0] not in CATALOGUE and label.partition("/")[0] not in FORMATS


def primary(decision: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The data set that the decision is mainly about; None where the run has none."""
    return next((part for part in decision["data"] if part["dataset"] == decision["primary"]), None)


def sentences(decision: Mapping[str, Any], language: str = "en") -> list[str]:
    """What to take away, the answer first."""
    wording, part = Wording(language), primary(decision)
    said = part["sentences"] if part else [say("nothing_judged", dataset="–")]
    return [wording.say(sentence) for sentence in said]


def lead(decision: Mapping[str, Any], language: str = "en") -> str:
    """The answer, and what must not be left out beside it (``evaluation.decision.sentences.headline``)."""
    part = primary(decision)
    if part is None:
        return sentences(decision, language)[0]
    wording = Wording(language)
    return wording.word("gap").join(map(wording.say, headline(part)))


def shown(written: Mapping[str, Path], name: str) -> Image | str:
    """A figure of those that were written, for a notebook; a dash where there was nothing to draw."""
    if name not in written:
        return "–"
    png = written[name]
    return Image(data=png.read_bytes(), format="png", width=figures.page_width(png), alt=name.replace("_", " "))


def write(
    decision: Mapping[str, Any], folder: Path, language: str = "en", tell: Callable[[str], Any] = print
) -> dict[str, Path]:
    """Write ``decision.json``, ``.html``, ``.md``, ``.pdf`` and the figures.

    Args:
        folder: of the files; made where it is missing. Never a finished run's.
        language: of ``wording/``.
        tell: told in one line why there is no PDF.

    Returns:
        The files by their kind: json, html, md, pdf where it could be made, and each figure's PNG by its slug.

    Raises:
        ToolkitError: an unknown language, or a folder that cannot be written.
    """
    wording = Wording(language)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ToolkitError(f"{folder}: a folder that can be written was expected ({err.strerror}).") from err
    figures.use_style()
    drawn, written = {}, {}
    for name, figure in drawings(decision, wording).items():
        drawn[name] = {"uri": _embedded(figure), "file": f"figures/{name}.png"}
        written[name] = figures.save(figure, folder / "figures" / name)[0]
    content = document(decision, wording)
    pages = {
        "json": json.dumps(decision, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "html": page.render("decision.html", doc=content, image=_finder(decision, drawn), cell=cell),
        "md": _MARKDOWN.get_template("decision.md").render(
            doc=content, image=_finder(decision, drawn), table=_markdown
        ),
    }
    for kind, text in pages.items():
        written[kind] = folder / f"{NAME}.{kind}"
        write_text(written[kind], text)
    target = folder / f"{NAME}.pdf"
    target.unlink(missing_ok=True)
    missing = printing.lacks(language) or printing.to_pdf(written["html"], target)
    if missing:
        tell(f"no PDF: {missing}")
    else:
        written["pdf"] = target
    return written


def _finder(decision: Mapping[str, Any], drawn: Mapping[str, Any]) -> Callable[[Mapping], Mapping | None]:
    """From a figure block to its image."""
    parts = {part["dataset"]: part for part in decision["data"]}
    return lambda block: drawn.get(slug(block["name"], parts[block["dataset"]], decision))


def _embedded(figure: Any) -> str:
    """A figure as a data URI: an SVG with its letters drawn, so that it looks alike wherever it is opened."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def cell(text: str) -> Markup:
    """A cell or sentence as HTML: escaped, intervals in a fainter type, ticks and crosses coloured."""
    marked = re.sub(r"\[([^\]]*)\]", r"<small>[\1]</small>", str(escape(text)))
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", marked)
    for mark, name in (("✓", "tick"), ("✗", "cross")):
        marked = re.sub(rf"(?<!\(){mark}", f'<b class="{name}">{mark}</b>', marked)
        marked = marked.replace(f"({mark})", f'<b class="unsure">({mark})</b>')
    return Markup(marked)


def _markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    return present.as_markdown(frame.reset_index(names=frame.attrs["head"], allow_duplicates=True))
