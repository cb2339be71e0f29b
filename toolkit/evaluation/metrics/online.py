"""What learning online costs and brings. The code stands in ``regret``, ``offpolicy`` and ``experiment``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "regret_per_round": Metric(
        "regret per round",
        "utility",
        False,
        "Utility given away against the Bayes-optimal policy (where true means are unknown: against hindsight), mean "
        "over rounds; interval over seeds.",
    ),
    "regret_to_fixed": Metric(
        "regret to best fixed arm",
        "utility",
        False,
        "Utility given away against the one arm that hindsight picks for each seed; below 0 it is beaten.",
    ),
    "utility": Metric(
        "utility", "quality - weight x USD", True, "True mean quality minus the weight times the charge."
    ),
    "utility_late": Metric(
        "utility, last third", "quality - weight x USD", True, "Utility of the last third of the rounds."
    ),
    "quality_online": Metric("quality", "share", True, "Mean quality of the answers that were chosen."),
    "utility_kept": Metric(
        "utility / best policy's",
        "share",
        True,
        "Utility of the last quarter of the rounds, after a change, over that of the best policy in the changed world.",
    ),
    "quality_over_mixture": Metric(
        "quality over the best mixture",
        "quality",
        True,
        "True mean quality minus that of the best lottery of two models at the same spending, chosen in hindsight.",
    ),
    "class_accuracy": Metric(
        "class accuracy",
        "share",
        True,
        "Choices that are the label a classifier is trained on: the cheapest of the models that answer best.",
    ),
    "best_model_hits": Metric(
        "best-model hits", "share", True, "Choices than which no model would have answered better."
    ),
    "quality_retained": Metric(
        "quality retained", "share", True, "Mean quality over that of the best single model on the same prompts."
    ),
    "spent_over_budget": Metric("spent / budget", "ratio", None, "Dollars spent over the budget when it ends."),
    "policy_value": Metric(
        "value", "mean reward", True, "What a policy earns a request, estimated from a log that another one made."
    ),
    "effective_rewards": Metric(
        "effective rewards",
        "rewards",
        True,
        "Kish's effective sample size of the importance weights: how many rewards of its own the estimate is worth.",
    ),
    "rounds_to_recover": Metric(
        "rounds to recover",
        "rounds",
        False,
        "After a change, until 100 rounds together earn 95% of what the learner earns in the end.",
    ),
}
