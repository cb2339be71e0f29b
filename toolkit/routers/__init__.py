"""Routers by the names that tables and the command line use.

``baselines(outcomes)`` makes every baseline and reference that the data allows, by name.
"""

from toolkit.outcomes import Outcomes
from toolkit.routers import catalogue
from toolkit.routers.arch import ArchRouter
from toolkit.routers.base import Router
from toolkit.routers.baselines import SingleModel
from toolkit.routers.catalogue import EVERY_VIEW
from toolkit.routers.described import DescriptionRouter

__all__ = ["BASELINES", "EVERY_VIEW", "LEARNED", "ROUTERS", "ArchRouter", "DescriptionRouter", "Router", "baselines"]

BASELINES = catalogue.of_kind(catalogue.BASELINE)
LEARNED = catalogue.of_kind(catalogue.LEARNED)
ROUTERS = BASELINES | LEARNED


def baselines(outcomes: Outcomes) -> dict[str, Router]:
    """Every baseline and reference that this data allows, by name.

    A pair has its single models as always-weak and always-strong; a larger pool has each of them under its own name.
    """
    if len(outcomes.names) == 2:
        by_quality = [outcomes.names[column] for column in outcomes.mean_quality().argsort(kind="stable")]
        names = dict(zip(("always-weak", "always-strong"), by_quality, strict=True))
    else:  # a model may be called as a baseline is
        names = {f"{name} (model)" if name in ROUTERS else name: name for name in outcomes.names}
    routers: dict[str, Router] = {label: SingleModel(name) for label, name in names.items()}
    # The largest and the smallest stand there under their own names.
    impossible = {"always-strong", "always-weak", "largest", "smallest"}
    if outcomes.cost_source == "none" or len(names) == 2:
        impossible.add("cheapest")
    if outcomes.prompts["domain"].nunique() < 2:
        impossible.add("domain-mean")
    if outcomes.expected_quality is None:
        impossible.add("bayes-optimal")
    return routers | {name: make() for name, make in BASELINES.items() if name not in impossible}
