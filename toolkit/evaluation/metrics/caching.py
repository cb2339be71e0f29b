"""What a semantic cache does to traffic. The code stands in ``caching``, ``streams`` and ``attacks``."""

from toolkit.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "hits_per_request": Metric("hits / requests", "share", None, "Requests answered from the cache, right or wrong."),
    "wrong_per_hit": Metric(
        "wrong / hits",
        "share",
        False,
        "Hits whose cached prompt means something else than the request (FP/H): what a user who is served from the "
        "cache has to expect.",
    ),
    "wrong_per_request": Metric(
        "wrong / requests",
        "share",
        False,
        "Wrong hits over all requests (FP/N). Small wherever hits are few, however bad they are.",
    ),
    "recall_per_answerable": Metric(
        "right / answerable",
        "share",
        True,
        "Right hits over the requests for which a right answer was cached at that moment.",
    ),
    "wrong_per_unanswerable": Metric(
        "wrong / should miss",
        "share",
        False,
        "Hits on requests for which no right answer was cached, over those requests: all of them are wrong.",
    ),
    "threshold": Metric("threshold", "cosine", None, "Least similarity that is served; none where the tier is off."),
    "violations": Metric(
        "broken promises",
        "share of calibrations",
        False,
        "Calibrations whose threshold has a share of wrong hits above delta on test traffic; interval by Clopper and "
        "Pearson.",
    ),
    "found": Metric("threshold found", "share of calibrations", True, "Calibrations in which a threshold qualified."),
    "stale_per_hit": Metric(
        "stale / hits", "share", False, "Hits whose answer has ceased to be true since it was stored."
    ),
    "attack_success": Metric(
        "attacks that succeed", "share of attempts", False, "As the note says; interval by Clopper and Pearson."
    ),
    "break_even_hits": Metric(
        "break-even hits",
        "share of requests",
        False,
        "Hit rate at which the time of encoding and looking up is paid back by calls that are not made.",
    ),
    "break_even_wrong": Metric(
        "bearable wrong hits",
        "share of hits",
        True,
        "Share of wrong hits at which errors cost as much as the cache saves, at the prices in the note; at 1 or more "
        "errors are cheap enough for anything.",
    ),
    "saved_usd_per_1k": Metric(
        "USD saved per 1,000", "USD per 1,000 requests", True, "Calls saved minus encoding and the price of wrong hits."
    ),
}
