"""What changed from one run to another. The code stands in ``run_differences``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "quality_change": Metric(
        "change of quality",
        "quality",
        True,
        "Mean quality of a system in run B minus that of the system of the same name in run A, at one operating point, "
        "on the prompts that both runs judged; paired, bootstrap over groups, p by sign-flip permutation, adjusted by "
        "Holm over all that is shown.",
    ),
    "cost_change_usd_per_1k": Metric(
        "change of cost",
        "USD per 1,000 prompts",
        False,
        "The same for what the chosen calls cost.",
    ),
}
