"""Quality and cost of routers. The code stands in ``curves``, ``leaderboard``, ``benchmarks`` and ``arena``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "simple_to_weak": Metric(
        "simple to weak",
        "share of queries",
        True,
        "Share of the committed queries labelled simple that go to the weak model, at the threshold that sends half of "
        "the judged prompts to the strong one. The label is what an answer takes, not how long the query is.",
    ),
    "complex_to_strong": Metric(
        "complex to strong", "share of queries", True, "Share of those labelled complex that go to the strong model."
    ),
    "acceptance_accuracy": Metric(
        "accuracy on labelled queries",
        "share of queries",
        True,
        "Mean of the two: how often a query goes where its label says. It is no accuracy of answers.",
    ),
    "acceptance_auroc": Metric(
        "AUROC on labelled queries",
        "AUROC",
        True,
        "Chance that a complex query scores above a simple one, ties half: what the best threshold could make of it.",
    ),
    "apgr": Metric(
        "APGR",
        "PGR",
        True,
        "Average performance gap recovered: area under PGR over the share of strong calls, trapezoid over deciles, the "
        "form in RouteLLM's code. A random router is expected to score .5; a single draw of it has its luck, an SD of "
        ".02 on 1,300 prompts.",
    ),
    "apgr_mean_of_ten": Metric(
        "APGR, mean of ten",
        "PGR",
        True,
        "The paper's other form: mean PGR at 10%, 20%, ..., 100% of strong calls; about .05 higher.",
    ),
    "cpt50": Metric(
        "CPT(50%)", "share of strong calls", False, "Smallest share of strong calls that recovers half of the gap."
    ),
    "cpt80": Metric(
        "CPT(80%)", "share of strong calls", False, "Smallest share of strong calls that recovers 80% of the gap."
    ),
    "quality_at_half": Metric(
        "quality at 50% strong",
        "quality",
        True,
        "Mean quality when half of the calls go to the strong model, mixing the two neighbouring operating points.",
    ),
    "apgr_gain": Metric(
        "APGR gain",
        "PGR",
        True,
        "APGR minus that of the best trivial baseline, paired; p by bootstrap, adjusted by Holm over the routers that "
        "are no trivial baselines. The opponent is the best one on the judged prompts, which is hard on the others.",
    ),
    "apgr_without_suspect": Metric(
        "APGR without suspect rows",
        "PGR",
        True,
        "APGR when rows that the source is known to have mislabelled are left out, in training too.",
    ),
    "quality_at_half_gain": Metric(
        "gain at 50% strong",
        "quality",
        True,
        "Mean quality at half strong calls minus that of the best trivial baseline, paired; p by permutation, adjusted "
        "by Holm.",
    ),
    "share_strong": Metric("strong calls", "share of strong calls", None, "Share of prompts sent to the strong model."),
    "quality": Metric("quality", "quality", True, "Mean quality of the chosen models' answers, 0 to 1."),
    "cost_usd_per_1k": Metric(
        "USD per 1,000",
        "USD per 1,000 prompts",
        False,
        "What the chosen calls cost; measured, priced or assumed as the data set says.",
    ),
    "gap_closed": Metric(
        "oracle gap closed",
        "share",
        True,
        "Share of the distance from the best single model to the hindsight oracle that is covered.",
    ),
    "cost_at_equal_quality": Metric(
        "cost at equal quality",
        "ratio",
        False,
        "Smallest cost on the router's curve at which it is as good as the best single model, relative to that model's "
        "cost. Found in hindsight on the judged prompts, so too small by the luck of a hundred points: hold it against "
        "the figure of random.",
    ),
    "quality_gain": Metric(
        "quality gain",
        "quality",
        True,
        "Quality minus that of the best trivial baseline, paired; p by McNemar or permutation, adjusted by Holm over "
        "the routers that are no trivial baselines. The opponent is the best one on the judged prompts.",
    ),
    "gain_over_share_matched": Metric(
        "gain over same shares",
        "quality",
        True,
        "Quality minus what sending the same share of prompts to each model at random is expected to give: what the "
        "router knows about prompts, beyond what it spends.",
    ),
    "aiq": Metric(
        "AIQ",
        "quality",
        True,
        "RouterBench's average improvement in quality, in the form of its code: area under the non-decreasing convex "
        "hull up to the largest cost of all compared systems, divided by that cost. Hull points are chosen on one half "
        "of the prompts and judged on the other, averaged over 20 random halvings; the interval holds for these.",
    ),
    "zero_aiq": Metric(
        "zero router",
        "quality",
        True,
        "AIQ of the zero router with its hull on these very prompts, in the form of RouterBench's code.",
    ),
    "aiq_over_zero": Metric(
        "AIQ over zero router",
        "quality",
        True,
        "AIQ minus that of the zero router, which mixes single models without reading the prompt; paired. A router "
        "that is not above 0 has no value.",
    ),
    "gain_over_random": Metric(
        "gain over random model",
        "quality",
        True,
        "Quality minus the mean of all models, absolute (LLMRouterBench gives it relative).",
    ),
    "gain_over_best_single": Metric(
        "gain over best single",
        "quality",
        True,
        "Quality minus that of the best single model on the judged prompts, absolute (LLMRouterBench gives it "
        "relative).",
    ),
    "gap_to_oracle": Metric(
        "gap to oracle", "quality", False, "Quality of the hindsight oracle minus this (LLMRouterBench)."
    ),
    "perf_gain": Metric(
        "PerfGain",
        "quality",
        True,
        "Quality of a router's best point minus that of the best single model, in hindsight (LLMRouterBench; its "
        "CostSave is 1 minus the cost at equal quality).",
    ),
    "pareto_distance": Metric(
        "distance to front",
        "range",
        False,
        "Mean distance of a system's points (deciles of a curve) to the nearest point of the front of cost and quality "
        "of all usable systems, both axes scaled to their range (after LLMRouterBench's ParetoDist).",
    ),
    "arena_score": Metric(
        "Arena score",
        "score",
        True,
        "RouterArena's weighted harmonic mean of accuracy and cheapness (log scale, $.0044 to $200 per 1,000 prompts).",
    ),
    "opt_sel": Metric(
        "Opt.Sel",
        "share",
        True,
        "Share of prompts on which the cheapest of the best models was chosen (RouterArena; prompts that no model "
        "solves are left out).",
    ),
    "opt_cost": Metric(
        "Opt.Cost",
        "share",
        True,
        "Mean of the optimal model's cost over the chosen model's, at most 1, so a cheap wrong answer counts in full "
        "(RouterArena).",
    ),
    "opt_acc": Metric("Opt.Acc", "share", True, "Quality reached over the best that can be reached (RouterArena)."),
    "robustness": Metric(
        "robustness",
        "share",
        True,
        "Share of prompts whose chosen model stays when the prompt gets typos, another case, a friendly frame or other "
        "spacing (RouterArena's measure, our own perturbations). Decided at half of the spending, by routers fitted on "
        "one part of the data.",
    ),
    **{
        f"robustness_{kind}": Metric(kind, "share", True, f"Robustness against one kind of change: {kind}.")
        for kind in ("typos", "case", "paraphrase", "spacing")
    },
    "mean_quality": Metric("mean quality", "quality", True, "Mean quality of one model on all prompts."),
    "best_single": Metric("best single model", "quality", True, "Mean quality of the best single model."),
    "oracle": Metric(
        "hindsight oracle", "quality", True, "Mean quality of the hindsight oracle: an upper bound no router reaches."
    ),
    "bayes_optimal": Metric(
        "Bayes-optimal",
        "quality",
        True,
        "Mean quality of the router that knows the true expected quality given the text: the ceiling that can be "
        "reached. It is judged on drawn outcomes as all are, so luck can lift a router a hair above it.",
    ),
    "prompts": Metric("prompts", "count", None, "Prompts in the data set."),
    "duplicate_prompts": Metric("repeated prompts", "count", None, "Prompts that repeat an earlier one."),
}
