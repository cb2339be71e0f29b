"""Calibration, transfer, late models. The code stands in ``reliability``, ``transfer`` and ``newcomer``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "ece": Metric(
        "calibration error",
        "quality",
        False,
        "Expected calibration error (Guo et al. 2017, arXiv 1706.04599): mean distance between predicted and realised "
        "quality over fifteen bins of equal width, averaged over models. A perfect router has the noise of its bins, "
        "and intervals reach too high.",
    ),
    "brier": Metric(
        "Brier score", "quality²", False, "Mean squared distance of predicted and realised quality (Brier 1950)."
    ),
    "share_off": Metric(
        "off the target share",
        "share",
        False,
        "Distance between the wanted share of strong calls and that on new prompts of the same source: median over "
        "draws; the bounds are the least and that of 95 draws in 100.",
    ),
    "share_covered": Metric(
        "draws within 95%",
        "share",
        None,
        "Draws in which the share lies within the interval that was foretold; 95% wanted.",
    ),
    "apgr_lost": Metric(
        "APGR lost",
        "PGR",
        False,
        "APGR of the same router fitted on the judged set itself, minus this one's; paired on the same prompts.",
    ),
    "quality_over_single": Metric(
        "over best single",
        "quality",
        True,
        "Quality of the best predicted model minus that of the model that is best on the training set.",
    ),
    "quality_lost": Metric(
        "quality lost",
        "quality",
        False,
        "Quality of the same router fitted on the judged set itself, minus this one's; paired on the same prompts.",
    ),
    "joined_quality": Metric(
        "gain by the newcomer",
        "quality",
        True,
        "Quality of the best predicted model when one model has only so many labels, minus that without it; mean over "
        "draws of the labelled prompts.",
    ),
    "joined_share": Metric("calls to the newcomer", "share of calls", None, "Prompts that are sent to the new model."),
}
