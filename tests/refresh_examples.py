"""``python -m tests.refresh_examples [NAME ...]``: make the committed runs of ``reports/example`` anew, half an hour.

To be run on an idle machine: notebook 04 times what it finds. Tables, manifest, figures and the decision in both
languages are kept; executed notebooks and pages are not, which show prompts of other people's data. The answer in both
READMEs is written from them. With the name ``decide`` nothing is run, and the decisions are made anew from the
committed tables: after a change to the decision's rules or words.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from toolkit import paths
from toolkit.reporting import decision, execution, reading, tables
from toolkit.reporting.decision.language import Wording
from toolkit.reporting.run import CONFIG, MANIFEST, write_manifest

EXAMPLES = {
    "synthetic": ("synthetic",),
    "real": ("routellm/mmlu", "routellm/gsm8k", "routerdc/cmmlu"),
}
KEPT = (CONFIG, tables.MEASUREMENTS, tables.CURVES, "10_audit_claims/claims.csv")
DECISIONS = {"en": "11_decide", "zh": "decision-zh"}
DECIDING = ("trained", "trained_cost", "acceptance")  # the others, on all prompts, would be most of the megabytes
READMES = {"README.md": "en", "README.zh.md": "zh"}
_HEAD = {
    "en": (
        "data",
        "cheapest choice that surely keeps 95%",
        "quality kept",
        "at",
        "length rule: quality",
        "at",
        "best model",
    ),
    "zh": ("数据", "确保 95% 的最便宜选择", "保住的质量", "代价", "长度规则：质量", "代价", "最佳模型"),
}
_SPENT = {"en": ("of its cost", "strong calls"), "zh": ("的成本", "的强模型调用")}
_TOOLKIT = (sys.executable, "-m", "toolkit")


def make(name: str) -> None:
    """One run, as the README beside them says, and what is kept of it."""
    target = paths.example_dir() / name
    asked = [option for dataset in EXAMPLES[name] for option in ("--dataset", dataset)]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([*_TOOLKIT, "report", *asked, "--out", scratch], check=True)
        (folder,) = (path.parent for path in Path(scratch).glob(f"*/{MANIFEST}"))
        keep(folder, target)


def keep(folder: Path, target: Path) -> None:
    """What is committed of a finished run, in place of what is there; and the decision in Chinese.

    Choices are kept of the analyses that a decision reads. The manifest lists what is kept, with its hashes.
    """
    shutil.rmtree(target, ignore_errors=True)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    front = [f"{part['folder']}/figures/{slug}.png" for part in manifest["notebooks"] for slug in part["front"]]
    for pattern in (*KEPT, *front):
        for path in sorted(folder.glob(pattern)):
            (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.relative_to(folder))
    choices = tables.read(folder / tables.CHOICES)
    tables.write(target, tables.CHOICES, choices[choices["analysis"].isin(DECIDING)])
    write_manifest(target, {key: value for key, value in manifest.items() if key not in ("files", "schema_version")})
    decide(target)


def decide(target: Path) -> None:
    """The decision in both languages, from the committed tables; the manifest says which code made it."""
    manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    for language, name in DECISIONS.items():
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run([*_TOOLKIT, "decide", str(target), "--language", language, "--out", scratch], check=True)
            shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(scratch, target / name, ignore=shutil.ignore_patterns("*.pdf", "*.svg"))
    (target / DECISIONS["zh"] / f"{decision.NAME}.json").unlink()  # that of the other language once more
    kept = {key: value for key, value in manifest.items() if key not in ("files", "schema_version")}
    write_manifest(target, kept | {"decided_by": execution.environment()["sources"]})


def with_answer(text: str, name: str) -> str:
    """A README with its answer written anew from the committed runs."""
    language, root = READMES[name], paths.example_dir()
    found = {
        one: json.loads((root / one / "11_decide" / "decision.json").read_text(encoding="utf-8"))
        for one in ("real", "synthetic")
    }
    head = _HEAD[language]
    lines = [f"**{decision.lead(found['real'], language)}**", ""]
    lines += [f"![{head[1]}](reports/example/real/11_decide/figures/decision_front.png)", ""]
    lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    named = {one: reading.read(root / one).recommended for one in found}
    lines += [_row(part, named[one], language) for one, told in found.items() for part in told["data"]]
    answer = "<!-- answer -->\n" + "\n".join(lines) + "\n<!-- /answer -->"
    return re.sub("<!-- answer -->.*<!-- /answer -->", lambda _: answer, text, flags=re.DOTALL)


def _row(part: dict[str, Any], named: dict[str, str], language: str) -> str:
    """One data set: what is recommended for it beside the rule in use today, in the words of the decision."""
    words, chosen = Wording(language), part["recommended"]
    if chosen is None:
        return f"| {part['dataset']} | – | – | – | – | – | {part['model'] or '–'} |"
    spent = _SPENT[language][not part["in_dollars"]]
    cells = [part["dataset"], named[part["dataset"]]]
    for one in (chosen, chosen["against"].get("today")):
        cells += [words.figure(one["kept"]), f"{words.figure(one['share'])} {spent}"] if one else ["–", "–"]
    return f"| {' | '.join([*cells, part['model']])} |"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or EXAMPLES:
        if chosen in EXAMPLES:
            make(chosen)
    if sys.argv[1:] == ["decide"]:
        for one in EXAMPLES:
            decide(paths.example_dir() / one)
    whole = all((paths.example_dir() / one / MANIFEST).is_file() for one in EXAMPLES)
    for readme in READMES if whole else ():
        path = paths.example_dir().parents[1] / readme
        path.write_text(with_answer(path.read_text(encoding="utf-8"), readme), encoding="utf-8")
