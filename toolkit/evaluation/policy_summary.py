"""What notebook 08 says of its results: tables, captions, the survey's figures beside them. Pure functions."""

from collections.abc import Mapping, Sequence

import pandas as pd

from toolkit.evaluation.claims import ARCH_ROUTER
from toolkit.evaluation.policy_study import CHANCE, WRITTEN, Subject
from toolkit.routes import causal
from toolkit.routes.table import OTHER


def both(*parts: pd.DataFrame) -> pd.DataFrame:
    """Rows of several tables, of which some may be empty, in the columns of the first."""
    full = [rows for rows in parts if len(rows)]
    return pd.concat([rows.reindex(columns=full[0].columns) for rows in full], ignore_index=True)


def contents(found: Sequence[Subject]) -> pd.DataFrame:
    """What is asked: routes, requests to judge by, those of them that fit no route, examples of a route."""
    rows = []
    for one in found:
        _, routes = one.data.part("test")
        rows.append((one.name, len(one.data.tables[0].routes), len(routes), routes.count(OTHER), one.examples))
    columns = ["set", "routes", "requests", "fitting none", "examples of a route"]
    return pd.DataFrame(rows, columns=columns).set_index("set")


def drawn(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Closed accuracy of every set, as ``figures.route_accuracy`` takes it."""
    parts = [rows[rows["metric"] == "closed_accuracy"].assign(set=name) for name, rows in found.items()]
    return pd.concat(parts, ignore_index=True)


def caption(found: Sequence[Subject]) -> str:
    """What a figure's note says of its data."""
    sets = ", ".join(f"{one.name} {one.examples}" for one in found)
    own = "traffic is SYNTHETIC, written for this project · " if any("traffic" in one.name for one in found) else ""
    return f"{own}policies in words of our own · 95% intervals over requests\nexamples of a route: {sets}"


def missing(model: str) -> str:
    """What cannot be measured without the generative router's weights; nothing where they are at hand."""
    if causal.at_hand(model):
        return ""
    return (
        f"{model} is not on this machine (`hf download {model}`, licence {causal.LICENCES.get(model, 'its own')}): its "
        "accuracy, agreement and sensitivity are not measured. Its latency is, on random weights of the exact shape."
    )


def claims(found: Mapping[str, pd.DataFrame], times: pd.DataFrame, device: str) -> pd.DataFrame:
    """The survey's figures of Arch-Router, what its authors published, and what was measured here.

    Args:
        found: rows of ``requests`` by set.
        times: rows ``p50_ms`` of the generative router.
        device: that was timed.
    """
    mine = pd.concat(found.values(), ignore_index=True)
    mine = mine[(mine["system"] == WRITTEN) & (mine["metric"] == "turn_accuracy")]
    right = "; ".join(f"{value:.1%} of {n} requests" for value, n in zip(mine["value"], mine["n"], strict=True))
    took = "; ".join(f"{name} {value:,.0f} ms" for name, value in zip(times["system"], times["value"], strict=True))
    here = {
        "accuracy": f"on other requests: {right}" if right else "not without the weights",
        "latency": f"on this {'GPU' if device == 'cuda' else 'CPU, no GPU'}: {took}" if took else "not timed",
    }
    return pd.DataFrame(
        [(what, survey, published, here[what]) for what, (survey, published) in ARCH_ROUTER.items()],
        columns=["figure", "the survey", "published", "here"],
    ).set_index("figure")


def conclusion(found: Mapping[str, pd.DataFrame], times: pd.DataFrame, model: str) -> str:
    """What was found, in a few lines."""
    lines = []
    for name, rows in found.items():
        value = rows[rows["metric"] == "closed_accuracy"].set_index("system")["value"]
        shown = ", ".join(f"{system} {value[system]:.1%}" for system in value.index if system != CHANCE)
        lines.append(f"{name}: the right route, other aside: {shown} (by lot {value[CHANCE]:.1%}).")
    medians = times.set_index("system")["value"]
    if len(medians):
        shown = (f"{name} {ms:,.1f} ms" if ms < 100 else f"{name} {ms:,.0f} ms" for name, ms in medians.items())
        lines.append(f"Median of a decision: {', '.join(shown)}.")
    return "\n".join([*lines, missing(model)]).strip()
