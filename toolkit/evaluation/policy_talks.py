"""Conversations of notebook 08: what is put together of which set, and how many turns, spans and wholes are right."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cache

import pandas as pd

from toolkit.datasets import intents
from toolkit.datasets.intents import Conversations
from toolkit.evaluation import policy_routing
from toolkit.evaluation.policy_study import Plan, Subject, usual
from toolkit.routers.described import DescriptionRouter
from toolkit.routes.table import OTHER


def scenarios(one: Subject, plan: Plan, seed: int = 0) -> dict[str, tuple[Subject, Conversations]]:
    """Conversations to judge by, after the three of arXiv 2506.16655; our own traffic has its own.

    Args:
        one: our own traffic, or CLINC150's intents.
    """
    language = one.data.name.removeprefix("traffic ")
    if language in intents.LANGUAGES:
        return {f"{one.name}, written": (one, intents.traffic_conversations(language))}
    broad = _broad(one)
    texts, fine = one.data.part("test")
    _, coarse = broad.data.part("test")
    fits = [row for row, route in enumerate(fine) if route != OTHER]
    inside = [texts[row] for row in fits]
    count = plan.conversations
    return {
        "CLINC150, fine": (one, intents.composed(inside, [fine[row] for row in fits], count, seed)),
        "CLINC150, coarse": (broad, intents.composed(inside, [coarse[row] for row in fits], count, seed)),
        "CLINC150, coarse and irrelevance": (broad, intents.composed(texts, coarse, count, seed)),
    }


@cache
def _broad(one: Subject) -> Subject:
    return replace(one, data=intents.coarse(one.data))


def talks(one: Subject, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Tidy rows of turns, spans and conversations, a column ``scenario``.

    Encoders read one turn, and where turns hang together also the last two.
    """
    rows = []
    for scenario, (subject, data) in scenarios(one, plan, seed).items():
        for system in subject.reads:
            asked = {system: usual(subject, system, seed)}
            if isinstance(asked[system], DescriptionRouter) and one.name != "clinc150":
                asked[f"{system}, two turns"] = two = copy(asked[system])
                two.turns = 2
            for name, router in asked.items():
                found = policy_routing.conversations(router, data, name, bootstraps, seed)
                rows.append(found.assign(scenario=scenario))
    return pd.concat(rows, ignore_index=True)


def talks_of(found: Sequence[Subject], plan: Plan, bootstraps: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """``talks`` of our own traffic and of CLINC150's intents, by scenario."""
    parts = [talks(one, plan, bootstraps, seed) for one in found if one.examples == 5 or one.name == "clinc150"]
    rows = pd.concat(parts, ignore_index=True)
    return {name: part.drop(columns="scenario") for name, part in rows.groupby("scenario", sort=False)}
