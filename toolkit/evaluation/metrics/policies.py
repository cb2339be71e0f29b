"""What routers of policies get right. The code stands in ``policy_routing``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "turn_accuracy": Metric(
        "right, other included",
        "share of turns",
        True,
        "Turns of a user whose route, or `other`, was chosen (Arch-Router, arXiv 2506.16655); interval over "
        "conversations, or over requests where each stands alone.",
    ),
    "span_accuracy": Metric(
        "spans right",
        "share of spans",
        True,
        "Unbroken runs of one route in a conversation of which every turn is right (arXiv 2506.16655).",
    ),
    "conversation_accuracy": Metric(
        "conversations right",
        "share of conversations",
        True,
        "Conversations of which every turn is right (arXiv 2506.16655).",
    ),
    "closed_accuracy": Metric(
        "route right (forced choice)",
        "share of requests",
        True,
        "Among requests that fit a route, those whose likeliest route is theirs, `other` not being allowed: what "
        "CLINC150 calls intent accuracy.",
    ),
    "coarse_accuracy": Metric(
        "model right (forced choice)",
        "share of requests",
        True,
        "As before, of the model that serves the likeliest route; in CLINC150, of the domain it belongs to.",
    ),
    "other_recall": Metric(
        "out of scope caught",
        "share of requests",
        True,
        "Among requests that fit no route, those answered with `other`.",
    ),
    "other_auroc": Metric(
        "AUROC of other",
        "probability",
        True,
        "Chance that a request which fits no route has a higher probability of `other` than one that fits some.",
    ),
    "route_agreement": Metric(
        "agreement",
        "share of requests",
        True,
        "Requests for which two ways to decide choose the same route.",
    ),
    "route_flips": Metric(
        "flips",
        "share of requests",
        False,
        "Requests whose choice changes with the change that the note names; it should not.",
    ),
    "ready_s": Metric(
        "made ready, s",
        "s",
        False,
        "Seconds from a table of routes to a router that can decide: policies encoded and examples learned, or keys "
        "and values of the prompt's beginning made.",
    ),
}
