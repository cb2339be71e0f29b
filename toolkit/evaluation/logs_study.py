"""Notebook 07's experiments: a log, one's own or one that is made here, and what can be learned from it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import logs, policy
from toolkit.bandits.counting import EpsilonGreedy
from toolkit.decisions import Routed, record_of
from toolkit.errors import ToolkitError
from toolkit.evaluation import experiment, offpolicy
from toolkit.evaluation.offpolicy import Logged
from toolkit.logs import DecisionLog
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Decision
from toolkit.routers.classical import RidgeRegression

_DRAWS, _EXPLORED = 200, 0.4


@dataclass(frozen=True)
class Lesson:
    """A log, the part that may be learned from and the part that judges.

    Attributes:
        name: of the file, or of the data that it was made of.
        models: of the pool.
        early, late: rows of the log, in time; the later ones judge.
        truth: true mean quality (late rows, m), where the log was made here.
    """

    name: str
    models: tuple[str, ...]
    early: pd.DataFrame
    late: pd.DataFrame
    truth: np.ndarray | None = None


def make_log(outcomes: Outcomes, path: Path, most: int, seed: int = 0) -> Path:
    """A gateway's log of ``outcomes``' prompts: no router yet, a bandit that explores two requests in five, one pass.

    Written line by line as a gateway writes it, propensities included.
    """
    data = outcomes.subset(outcomes.complete()).sample(most, seed)
    bandit, rng = EpsilonGreedy(data.names, _EXPLORED, seed=seed), np.random.default_rng(seed)
    cost = np.nanmean(data.cost_usd, axis=0) if data.cost_source != "none" else None
    predicted = np.full(len(data.names), 0.5)
    with DecisionLog(path) as log:
        for row, text in enumerate(data.texts):
            drawn = bandit.draws(_DRAWS, predicted=predicted)[:, 0]
            arms = policy.choose(drawn, np.zeros(drawn.shape), 0.0)
            taken = int(rng.integers(_DRAWS))
            arm = int(arms[taken])
            scores = dict(zip(data.names, drawn[taken].tolist(), strict=True))
            decision = Decision(data.names[arm], scores, None if cost is None else float(cost[arm]), "drawn")
            routed = Routed(
                "router", None, decision, arm, predicted, cost, 0.0, float((arms == arm).mean()),
                id=str(data.prompts["prompt_id"].iloc[row]),
            )  # fmt: skip
            log.append(record_of(routed, text, "", None))
            reward = float(data.quality[row, arm])
            bandit.update(arm, reward, predicted=predicted)
            paid = None if cost is None else float(data.cost_usd[row, arm])
            log.append({"decision_id": routed.id, "reward": reward, "cost_usd": paid})
    return path


def lesson(log: str, outcomes: Outcomes | None, most: int, seed: int = 0) -> Lesson:
    """Read and check a log, or make one; its first half may be learned from.

    Args:
        log: path of one's own; "" makes one of ``outcomes``.

    Raises:
        ToolkitError: the log cannot be learned from; the row is named.
    """
    if log:
        rows = logs.check_log(logs.read_log(log), name=Path(log).name)
        models = tuple(sorted(rows["model"].unique()))
        return Lesson(Path(log).name, models, *_halves(rows))
    if outcomes is None:
        raise ToolkitError("lesson: a log, or outcomes to make one of, were expected.")
    with tempfile.TemporaryDirectory() as folder:
        path = make_log(outcomes, Path(folder) / "decisions.jsonl", most, seed)
        rows = logs.check_log(logs.read_log(path), outcomes.names)
    early, late = _halves(rows)
    known = outcomes.quality if outcomes.expected_quality is None else outcomes.expected_quality
    place = pd.Series(np.arange(len(outcomes)), index=outcomes.prompts["prompt_id"])
    name = outcomes.name.upper() if outcomes.synthetic else outcomes.name
    return Lesson(
        f"{name}, a log made here",
        tuple(outcomes.names),
        early,
        late,
        known[place.loc[late["decision_id"]]].astype(float),
    )


def _halves(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """By time; prompts of the later half that came before are left out of it, since they would be known."""
    half = len(rows) // 2
    early, late = rows.iloc[:half], rows.iloc[half:]
    if "text" in rows.columns:
        late = late[~late["text"].isin(early["text"])]
    return early.reset_index(drop=True), late.reset_index(drop=True)


def caption(one: Lesson) -> str:
    """What a figure's note says of its data."""
    return f"{one.name} · {len(one.late):,} decisions that judge · bars: 95% intervals"


def contents(one: Lesson) -> pd.DataFrame:
    """What the log holds of each model: decisions, share, mean reward, least propensity."""
    rows = pd.concat([one.early, one.late])
    table = rows.groupby("model").agg(
        decisions=("reward", "size"), mean_reward=("reward", "mean"), least_propensity=("propensity", "min")
    )
    return table.assign(share=table["decisions"] / len(rows)).reindex(one.models).round(4)


def policies(one: Lesson, encoder: str = "lexical") -> dict[str, np.ndarray]:
    """Policies that could serve instead, as chances (late rows, m): before, after a router was fitted, and by lot."""
    rewards = offpolicy.rewards_of(one.early, one.models)
    seen = [name for name, there in zip(one.models, ~np.isnan(rewards.quality).all(axis=0), strict=True) if there]
    columns = [one.models.index(name) for name in seen]
    router = RidgeRegression(encoder=encoder).fit(rewards.subset(models=seen))
    means = np.nanmean(rewards.quality[:, columns], axis=0)
    eye, rows = np.eye(len(one.models)), len(one.late)
    chosen = np.array(columns)[router.predict(one.late["text"].tolist()).argmax(axis=1)]
    return {
        "before: one model, the best so far": np.tile(eye[columns[int(means.argmax())]], (rows, 1)),
        "after: router fitted on the log": eye[chosen],
        "every model alike": np.full((rows, len(one.models)), 1 / len(one.models)),
    }


def rewards_predicted(one: Lesson, encoder: str = "lexical", seed: int = 0) -> np.ndarray:
    """Reward of every model on the late half, (late rows, m), each by a model that did not see the row."""
    rewards = offpolicy.rewards_of(one.late, one.models)
    return offpolicy.cross_fitted(rewards, RidgeRegression(encoder=encoder), seed=seed)


def estimates(one: Lesson, candidates: Mapping[str, np.ndarray], predicted: np.ndarray) -> pd.DataFrame:
    """Tidy rows of ``offpolicy.estimate`` on the late half for every policy, with policy, estimator and truth.

    Chances of the policies, and predicted rewards, are (late rows, m).
    """
    logged, parts = Logged.of(one.late, one.models), []
    for name, chances in candidates.items():
        truth = np.nan if one.truth is None else float((chances * one.truth).sum(axis=1).mean())
        rows = offpolicy.estimate(logged, chances, predicted, name)
        estimator = rows["system"].str.removeprefix(name).str.removeprefix(", ")
        parts.append(rows.assign(policy=name, estimator=estimator, truth=truth))
    return pd.concat(parts, ignore_index=True)


def gain(one: Lesson, candidates: Mapping[str, np.ndarray], predicted: np.ndarray) -> pd.DataFrame:
    """The paired difference of the second policy to the first, chances (n, m), on the late half, by DR: one row."""
    logged = Logged.of(one.late, one.models)
    before, after = (offpolicy.doubly_robust(logged, chances, predicted) for chances in list(candidates.values())[:2])
    difference = after - before
    row = dict(zip(("difference", "ci_low", "ci_high"), offpolicy.mean_interval(difference), strict=True))
    return pd.DataFrame([row | {"sd of a request": difference.std(ddof=1), "requests": len(difference)}]).round(4)


def experiment_plan(one: Lesson, differences: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05)) -> pd.DataFrame:
    """Requests that an A/B test of quality, and of cost, needs to find differences with 80% power."""
    rows = pd.concat([one.early, one.late])
    table = pd.DataFrame({"difference in quality": differences})
    sd = float(rows["reward"].std())
    table["requests, quality"] = [experiment.sample_size(step, sd) for step in differences]
    if "cost_usd" in rows.columns and rows["cost_usd"].notna().any():
        paid = rows["cost_usd"].dropna()
        shares = [10 * step for step in differences]
        table["difference in cost"] = [f"{share:.0%}" for share in shares]
        table["requests, cost"] = [experiment.sample_size(share * paid.mean(), float(paid.std())) for share in shares]
    return table


def watched(one: Lesson, candidates: Mapping[str, np.ndarray], seed: int = 0) -> pd.DataFrame:
    """An A/B test of the first two policies on the late prompts, where the truth is known: what it says along the way.

    Half of the requests, by lot, go to each of the policies, chances (late rows, m); prompts come again as often as
    the test needs.
    """
    if one.truth is None:
        return pd.DataFrame()
    rng, test = np.random.default_rng(seed), experiment.SequentialTest(0.05)
    choices = [chances.argmax(axis=1) for chances in list(candidates.values())[:2]]
    rows = []
    for step in range(20 * len(one.late)):
        row, new = int(rng.integers(len(one.late))), bool(rng.integers(2))
        arm = choices[new][row]
        test.add(new, float(rng.random() < one.truth[row, arm]))
        if step % 50 == 49:
            rows.append((step + 1, test.difference, *test.interval(), test.p_value))
        if test.decided:
            break
    return pd.DataFrame(rows, columns=["requests", "difference", "ci_low", "ci_high", "p_value"])


def conclusion(found: pd.DataFrame, gained: pd.DataFrame) -> str:
    """What was found, in three lines; a policy that the log does not support is not called the best."""
    robust = found[found["estimator"] == "DR"].sort_values("value")
    sound = robust[robust["note"] == ""]
    difference, low, high = gained.loc[0, ["difference", "ci_low", "ci_high"]]
    best = "none: the log supports no policy" if sound.empty else "{policy}, {value:.3f}".format(**sound.iloc[-1])
    weak = ", ".join(robust.loc[robust["note"] != "", "policy"])
    return (
        f"By the doubly robust estimate the best policy is {best}.\n"
        f"The router fitted on the log gains {difference:+.3f} [{low:+.3f}, {high:+.3f}] over one model for all.\n"
        + (f"The log says too little of: {weak}." if weak else "The log supports every policy that was judged.")
    )
