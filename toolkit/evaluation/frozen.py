"""A test part that is cut once and counted: every look at it makes the best of many look better than it is."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.evaluation.protocol import HOLDOUT, Predictions, cross_predict
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

FORMAT = 1


class RepeatedUseWarning(UserWarning):
    """A frozen test part is looked at again."""


def optimism(looks: int) -> float:
    """How many standard errors too high the best of so many equally good systems is expected to come out.

    The expected maximum of that many independent standard normal numbers. Systems that are judged on the same prompts
    agree, so the truth lies below: an upper bound.
    """
    from scipy.integrate import quad
    from scipy.stats import norm

    if looks < 2:
        return 0.0
    return float(quad(lambda x: x * looks * norm.pdf(x) * norm.cdf(x) ** (looks - 1), -8, 8 + np.log(looks))[0])


@dataclass(frozen=True)
class FrozenSplit:
    """A cut of a data set in a file, with a line for every use.

    The file names the data by its hash and the test prompts by their ids, so that the same data is cut the same way by
    everyone who has it, and another version of the data is refused. Commit it beside the analysis.

    Attributes:
        outcomes: the data, whose ``split`` is train or holdout by the file.
        path: of the file.
    """

    outcomes: Outcomes
    path: Path

    @property
    def train(self) -> Outcomes:
        """What may be looked at as often as one likes."""
        return self.outcomes.subset((self.outcomes.prompts["split"] == "train").to_numpy())

    @property
    def test_texts(self) -> list[str]:
        """Prompts of the test part; to take a threshold from them, without their outcomes, is no look."""
        return self.outcomes.subset((self.outcomes.prompts["split"] == HOLDOUT).to_numpy()).texts

    @property
    def uses(self) -> list[dict[str, Any]]:
        """What was judged, and when, as ``at``, ``systems`` and ``note``."""
        return _read(self.path)["uses"]

    def judge(self, routers: Mapping[str, Router], note: str = "", **options: Any) -> Predictions:
        """Count a look, then fit on the training part and predict the test part (``protocol.cross_predict``)."""
        self.look(routers, note)
        return cross_predict(self.outcomes, routers, **options)

    def told(self) -> str:
        """What the count is by now, and what it means, in a sentence."""
        systems = {text for use in self.uses for text in use["systems"].values()}
        return (
            f"{len(systems)} systems were judged on this test part by now, in {len(self.uses)} look(s): the best of so "
            f"many equally good ones looks up to {optimism(len(systems)):.1f} standard errors better than it is."
        )

    def look(self, routers: Mapping[str, Router], note: str = "") -> None:
        """Count a look at the test part, before it happens: a run that breaks off has looked too.

        From the second look on a ``RepeatedUseWarning`` says how much the best figure may owe to luck. The same routers
        with the same parameters, again, are no new look.

        Args:
            note: why, for the file.
        """
        systems = {name: repr(router) for name, router in routers.items()}
        with _lock(self.path):
            content = _read(self.path)
            before = {text for use in content["uses"] for text in use["systems"].values()}
            if fresh := {name: text for name, text in systems.items() if text not in before}:
                use = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "systems": fresh, "note": note}
                content["uses"].append(use)
                _write(self.path, content)
        looks = len(before | set(systems.values()))
        if before and fresh:
            warnings.warn(
                f"{self.path.name}: this test part was used {len(content['uses']) - 1} time(s) before; {looks} systems "
                f"have been judged on it by now. The best of so many equally good ones looks up to "
                f"{optimism(looks):.1f} standard errors better than it is. Choose on the training part, or cut a new "
                f"test part.",
                RepeatedUseWarning,
                stacklevel=3,
            )


def freeze(outcomes: Outcomes, path: str | Path, test_share: float = 0.3, seed: int = 0) -> FrozenSplit:
    """Cut a test part and write it down, or take up the cut that the file holds; equal prompts stay together.

    Args:
        outcomes: all of the data.
        path: of the JSON file, made where it is not there.
        test_share: of the distinct prompts; of no effect where the file is there.
        seed: of the cut, likewise.

    Raises:
        ToolkitError: the file is of other data, or is damaged.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        if not target.exists():
            _, test = outcomes.split(test_share, seed)
            ids = sorted(test.prompts["prompt_id"])
            _write(
                target, {"format": FORMAT, "data": outcomes.name, "sha256": outcomes.sha256, "test": ids, "uses": []}
            )
        content = _read(target)
    if content["sha256"] != outcomes.sha256:
        raise ToolkitError(
            f"{target}: a cut of this data was expected; it is of {content['data']} with another hash. Freeze this "
            f"version in a file of its own."
        )
    test = outcomes.prompts["prompt_id"].isin(content["test"])
    parts = outcomes.prompts.assign(split=np.where(test, HOLDOUT, "train"))
    return FrozenSplit(replace(outcomes, prompts=parts), target)


def _lock(path: Path) -> FileLock:
    """In the cache folder, so that nothing stays beside a file that is to be committed."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    return FileLock(paths.writable_cache("locks") / f"{name}.lock")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        whole = content["format"] == FORMAT and isinstance(content["uses"], list) and isinstance(content["test"], list)
        whole = whole and all(isinstance(use["systems"], dict) for use in content["uses"])
        whole = whole and all(isinstance(content[key], str) for key in ("data", "sha256"))
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ToolkitError(f"{path}: a frozen split was expected and could not be read ({err!r}).") from err
    if not whole:
        raise ToolkitError(f"{path}: a frozen split of format {FORMAT} was expected; this file holds something else.")
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    paths.write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
