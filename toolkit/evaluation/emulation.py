"""The architecture that tx402 is said to have, served for real: cache, BERT-class classifier, bandit, cost weight."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.bandits.counting import GaussianThompson
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.evaluation.claims import TX402
from toolkit.evaluation.metrics import measured
from toolkit.gateway import Gateway
from toolkit.outcomes import Outcomes
from toolkit.routers.classical import LogisticRegression

ENCODER = "minilm-int8"
_SCOPE = Scope("emulation", "auto", "", {})


def gateway(train: Outcomes, cache: SemanticCache, weight: float, seed: int = 0) -> Gateway:
    """A classifier on MiniLM, a Gaussian Thompson bandit on its scores, a semantic cache in front.

    The cache's semantic tier is off until somebody calibrates it (notebook 05); the exact tier serves.
    """
    classifier = LogisticRegression(encoder=ENCODER).fit(train)
    bandit = GaussianThompson(classifier.models_, seed=seed)
    return Gateway(classifier, cache, bandit, weight, encoder=encoders.fresh(ENCODER))


def served(train: Outcomes, test: Outcomes, weight: float, requests: int, seed: int = 0) -> pd.DataFrame:
    """Serve requests one by one, some of which come again, and tell the gateway what its answers were worth.

    Returns:
        One row a request: ``hit``, ``ms`` (of the decision), ``quality``, ``cost_usd`` (0 for a hit), ``arm`` (-1),
        ``row`` of the prompt.
    """
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, len(test) + 1)
    rows = rng.permutation(len(test))[rng.choice(len(test), requests, p=popular / popular.sum())]
    found = []
    with tempfile.TemporaryDirectory() as folder, SemanticCache(Path(folder) / "cache.sqlite", ENCODER) as cache:
        one = gateway(train, cache, weight, seed)
        one.route("warm up", _SCOPE)
        for row in rows.tolist():
            start = time.perf_counter()
            routed = one.route(test.texts[row], _SCOPE)
            ms = 1000 * (time.perf_counter() - start)
            if routed.hit:
                quality, cost = float(routed.found.answer), 0.0
                one.judge(routed.id, correct=True)
            else:
                quality, cost = float(test.quality[row, routed.arm]), float(test.cost_usd[row, routed.arm])
                one.update(routed.id, quality, cost)
                one.remember(test.texts[row], quality, _SCOPE, routed)  # as good as the answer was
            found.append((routed.hit, ms, quality, cost, routed.arm, row))
    return pd.DataFrame(found, columns=["hit", "ms", "quality", "cost_usd", "arm", "row"])


def against_claims(test: Outcomes, happened: pd.DataFrame) -> pd.DataFrame:
    """What the emulation measured beside what is claimed, which nobody verified: one row a claim."""
    rows, called = happened["row"].to_numpy(), happened[~happened["hit"]]
    dearest = int(np.nanmean(test.cost_usd, axis=0).argmax())
    single = test.quality[rows].mean(axis=0).max()
    label, best = test.oracle()[called["row"]], test.quality[called["row"]].max(axis=1)
    table = {
        "class accuracy": (f"{TX402['accuracy']:.0%}", f"{(called['arm'] == label).mean():.1%}"),
        "best-model hits": (f"{TX402['accuracy']:.0%}", f"{(called['quality'] >= best).mean():.1%}"),
        "quality retained": (f"{TX402['accuracy']:.0%}", f"{happened['quality'].mean() / single:.1%}"),
        "cheaper than always the dearest": (
            f"{TX402['cheaper']:.0%}",
            f"{1 - happened['cost_usd'].sum() / test.cost_usd[rows, dearest].sum():.1%}",
        ),
        "time of a decision, p50": (
            f"{TX402['least_ms']:g} to {TX402['most_ms']:g} ms",
            f"{called['ms'].median():.1f} ms",
        ),
        "models": (f"{TX402['models']:g}+", str(len(test.names))),
    }
    frame = pd.DataFrame(table, index=["claimed, not verified", "emulation, measured"]).T
    return frame.rename_axis(index=None)


def rows_of(happened: pd.DataFrame) -> pd.DataFrame:
    """Tidy rows: hits of the cache, quality, cost, time."""
    name, note = "tx402 emulation, served", f"classifier on {ENCODER}, one pass, no interval"
    values = {
        "hits_per_request": happened["hit"].mean(),
        "quality_online": happened["quality"].mean(),
        "cost_usd_per_1k": 1000 * happened["cost_usd"].mean(),
        "p50_ms": happened.loc[~happened["hit"], "ms"].median(),
    }
    rows = [measured(name, metric, np.array([value]), note) for metric, value in values.items()]
    return pd.DataFrame(rows).assign(n=len(happened))
