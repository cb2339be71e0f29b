"""Time, memory and what they cost. The code stands in ``latency`` and ``latency_study``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "fit_s": Metric(
        "training, s",
        "s",
        False,
        "Seconds to fit on the labels, embeddings of the prompts at hand, on the machine that the manifest names.",
    ),
    "predict_ms": Metric(
        "prediction, ms",
        "ms",
        False,
        "Milliseconds per prompt to predict a batch, embeddings at hand; bert, which embeds by itself, pays for it "
        "here, the others pay the encoder's time besides.",
    ),
    "encode_ms": Metric(
        "encoding, ms", "ms", False, "Milliseconds per prompt to embed a batch of prompts that no cache knows."
    ),
    **{
        f"p{percent}_ms": Metric(
            f"p{percent}, ms",
            "ms",
            False,
            f"{words} of the milliseconds from text to decision, batch 1, systems taking turns, bootstrap over rounds. "
            "Absolute times belong to the machine that the manifest names.",
        )
        for percent, words in (
            (50, "Median"),
            (90, "90th percentile"),
            (95, "95th percentile"),
            (99, "99th percentile"),
        )
    },
    "mean_ms": Metric("mean, ms", "ms", False, "Mean milliseconds from text to decision; as the percentiles."),
    "speedup": Metric(
        "speedup",
        "ratio",
        True,
        "Median time of the named opponent over this one's, both of one round; median over rounds.",
    ),
    "stage_ms": Metric("stage, ms", "ms", False, "Median milliseconds of one stage of a decision, named in the note."),
    "prompts_per_s": Metric("prompts per s", "prompts/s", True, "Prompts decided in a second, in batches as noted."),
    "first_decision_s": Metric(
        "first decision, s",
        "s",
        False,
        "Seconds from the start of a process to its first decision, imports included, the graph on disk.",
    ),
    "memory_mb": Metric("memory, MB", "MB", False, "Resident memory of a process that routes."),
    "usd_per_million": Metric(
        "USD per million",
        "USD",
        False,
        "Dollars for a million decisions one after the other, at the price per hour that the note names.",
    ),
    "break_even_share": Metric(
        "break-even share",
        "share of calls",
        False,
        "Share of calls that must go to a model answering sooner, by the time in the note, to pay back the decision's.",
    ),
}
