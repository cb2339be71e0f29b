"""What the audit of the survey counts and recomputes. The code stands in ``audit`` and ``corrections``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "claims": Metric("claims", "count", None, "Claims of the survey that got this verdict."),
    "weak_over_strong": Metric(
        "weak / strong", "share", None, "Mean quality of the weak model alone over that of the strong one."
    ),
    "share_for_95": Metric(
        "strong calls for 95%",
        "share of strong calls",
        False,
        "Smallest share of strong calls that reaches 95% of the strong model's mean quality, interpolated between "
        "deciles. Of a random router it is the PGR of that quality: where the weak model is nearly as good, little.",
    ),
    "cost_cut": Metric(
        "cheaper than always strong",
        "share",
        True,
        "How much less a call costs at that share of strong calls than always the strong model's, at the prices of "
        "RouteLLM's paper ($24.7 and $0.24 per million tokens).",
    ),
    "over_random": Metric(
        "random's cost / this one's",
        "ratio",
        True,
        "What a random router of the same quality costs over this one, at the same prices. Not to be mixed with the "
        "saving against always the strong model.",
    ),
}
