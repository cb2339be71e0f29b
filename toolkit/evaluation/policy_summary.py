"""What notebook 08 says of its results: tables, captions, the survey's figures beside them. Pure functions."""

from collections.abc import Mapping, Sequence

import pandas as pd

from toolkit.datasets import intents
from toolkit.evaluation.claims import ARCH_ROUTER
from toolkit.evaluation.policy_study import CHANCE, DESCRIPTIONS, WRITTEN, Plan, Subject, most
from toolkit.routes import causal
from toolkit.routes.table import OTHER


def both(*parts: pd.DataFrame) -> pd.DataFrame:
    """Rows of several tables, of which some may be empty, in the columns of the first."""
    full = [rows for rows in parts if len(rows)]
    return pd.concat([rows.reindex(columns=full[0].columns) for rows in full], ignore_index=True)


def contents(found: Sequence[Subject], plan: Plan) -> pd.DataFrame:
    """What is asked: routes, requests of the test part and how many of them are judged here, examples of a route."""
    rows = []
    for one in found:
        _, routes = one.data.part("test")
        asked = min(len(routes), most(plan, ""))
        rows.append((one.name, len(one.data.tables[0].routes), len(routes), routes.count(OTHER), asked, one.examples))
    columns = ["set", "routes", "test requests", "fitting no route", "judged here", "examples of a route"]
    return pd.DataFrame(rows, columns=columns).set_index("set").rename_axis(None)


def drawn(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Closed accuracy of every set, as ``figures.route_accuracy`` takes it."""
    parts = [rows[rows["metric"] == "closed_accuracy"].assign(set=name) for name, rows in found.items()]
    return pd.concat(parts, ignore_index=True)


def caption(found: Sequence[Subject]) -> str:
    """What a figure's note says of its data."""
    sets = ", ".join(f"{one.name} {one.examples}" for one in found)
    own = "traffic is SYNTHETIC, written for this project · " if any("traffic" in one.name for one in found) else ""
    return f"{own}policies in words of our own · 95% intervals over requests\nexamples of a route: {sets}"


def missing(model: str, plan: Plan) -> str:
    """What cannot be measured here, and what to do about it; nothing where all is at hand."""
    lines = []
    if not intents.at_hand():
        lines.append("CLINC150 is not at hand: set TOOLKIT_DATA_MIRROR, or call datasets.intents.clinc150() once.")
    elif not plan.upstream:
        lines.append("CLINC150 is left out of this profile.")
    if not causal.at_hand(model):
        licence = causal.LICENCES.get(model, "its own")
        lines.append(
            f"{model} is not on this machine (`hf download {model}`, licence {licence}):\n"
            "its accuracy, agreement and sensitivity are not measured; its latency is, where memory allows, on random "
            "weights of the exact shape."
        )
    return "\n".join(lines)


def claims(found: Mapping[str, pd.DataFrame], times: pd.DataFrame, device: str) -> str:
    """The survey's figures of Arch-Router, what its authors published, and what was measured here.

    Args:
        found: rows of ``requests`` by set.
        times: rows ``p50_ms`` of the generative router.
        device: that was timed.
    """
    mine = pd.concat(found.values(), ignore_index=True)
    mine = mine[(mine["system"] == WRITTEN) & (mine["metric"] == "turn_accuracy")]
    right = "; ".join(f"{value:.1%} of {n} requests" for value, n in zip(mine["value"], mine["n"], strict=True))
    took = ", ".join(f"{value:,.0f} ms ({name})" for name, value in zip(times["system"], times["value"], strict=True))
    here = {
        "accuracy": f"on other requests: {right}" if right else "needs the weights",
        "latency": f"on this {'GPU' if device == 'cuda' else 'CPU, no GPU'}: {took}" if took else "not timed",
    }
    lines = []
    for what, (survey, published) in ARCH_ROUTER.items():
        lines += [what, f"  the survey: {survey}", f"  published:  {published}", f"  here:       {here[what]}", ""]
    return "\n".join(lines).rstrip()


def conclusion(found: Mapping[str, pd.DataFrame], times: pd.DataFrame, model: str, plan: Plan) -> str:
    """What was found, in a few lines."""
    lines = []
    for name, rows in found.items():
        value = rows[rows["metric"] == "closed_accuracy"].set_index("system")["value"]
        best = value.drop(CHANCE).idxmax()
        words = f"{name}: best is {best}, {value[best]:.1%} of the routes right (random {value[CHANCE]:.1%})"
        plain = [system for system in value.index if system.endswith(DESCRIPTIONS)]
        if plain and best != plain[0]:
            words += f", {100 * (value[best] - value[plain[0]]):.1f} points over {plain[0]}"
        lines.append(f"{words}.")
    for name, ms in times.set_index("system")["value"].items():
        lines.append(f"{name}: {ms:,.1f} ms a decision" if ms < 100 else f"{name}: {ms:,.0f} ms a decision")
    return "\n".join([*lines, missing(model, plan)]).strip()
