"""One function per kind of figure. They know frames, not routers, and every one names its axes and its data."""

from toolkit.figures.caching import promises, risk_coverage, staleness, wrong_by_entries
from toolkit.figures.claims import claims_beside_findings
from toolkit.figures.comparison import cost_curves, intervals, strong_call_curves
from toolkit.figures.exploration import agreement, front, lengths, quality_by_domain
from toolkit.figures.latency import latencies, latency_by_length, stage_times
from toolkit.figures.learning import learning_curves, quality_against_time
from toolkit.figures.online import online_front, policy_values, recovery, regret_curves, three_accuracies
from toolkit.figures.policies import accuracy_by_routes, route_accuracy
from toolkit.figures.style import page_width, save, use_style
from toolkit.figures.transfer import newcomer_curves, reliability, share_targets, transfer_matrix

__all__ = [
    "accuracy_by_routes",
    "agreement",
    "claims_beside_findings",
    "cost_curves",
    "front",
    "intervals",
    "latencies",
    "latency_by_length",
    "learning_curves",
    "lengths",
    "newcomer_curves",
    "online_front",
    "page_width",
    "policy_values",
    "promises",
    "quality_against_time",
    "quality_by_domain",
    "recovery",
    "regret_curves",
    "reliability",
    "risk_coverage",
    "route_accuracy",
    "save",
    "share_targets",
    "stage_times",
    "staleness",
    "strong_call_curves",
    "three_accuracies",
    "transfer_matrix",
    "use_style",
    "wrong_by_entries",
]
