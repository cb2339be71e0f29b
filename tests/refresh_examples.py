"""``python -m tests.refresh_examples [NAME ...]``: make the committed runs of ``reports/example`` anew, half an hour.

To be run on an idle machine: notebook 04 times what it finds. Tables, manifest, figures and the decision in both
languages are kept; executed notebooks and pages are not, which show prompts of other people's data.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from toolkit import paths
from toolkit.reporting import decision, reading, tables
from toolkit.reporting.run import CONFIG, MANIFEST

EXAMPLES = {
    "synthetic": ("synthetic",),
    "real": ("routellm/mmlu", "routellm/gsm8k", "routerdc/cmmlu"),
}
KEPT = (MANIFEST, CONFIG, *tables.COLUMNS, "*/figures/*.png", "10_audit_claims/claims.csv", "11_decide/decision.*")
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
    """Copy what is committed of a finished run, in place of what is there, and decide about it in Chinese too."""
    shutil.rmtree(target, ignore_errors=True)
    for pattern in KEPT:
        for path in sorted(folder.glob(pattern)):
            if path.suffix != ".pdf":  # it holds the hour at which it was printed
                (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.relative_to(folder))
    subprocess.run(
        [*_TOOLKIT, "decide", str(folder), "--language", "zh", "--out", str(target / "decision-zh")], check=True
    )
    (target / "decision-zh" / f"{decision.NAME}.pdf").unlink(missing_ok=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or EXAMPLES:
        make(chosen)
        print(reading.read(paths.example_dir() / chosen).manifest["finished"])
