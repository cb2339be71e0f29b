"""What a router has to meet, and what a decision is for."""

import math
from dataclasses import dataclass

from toolkit.errors import ToolkitError


@dataclass(frozen=True)
class Constraints:
    """What a router has to meet, and what it is for.

    Attributes:
        latency_budget_ms: most milliseconds that routing may add to a request (median, text in, decision out); who is
            not surely above it is let in, and told so.
        quality_floor: least share of the reference's mean quality.
        monthly_requests: volume that dollars a month are told for.
        gpu: whether there is a GPU where the router will run.
        error_usd: what a lost unit of quality (an answer wrong that the reference gets right) costs beside the calls.
        reference: the single model that quality and cost are relative to; the best one where empty.
        today: the system in use, which a recommendation is held against; ``system@point`` where it has several points.
        surely: whether the floor must be reached by a lower bound, the bounds of all candidates holding at once, not
            by the estimate alone, which among hundreds of candidates is luck for some.

    Raises:
        ToolkitError: a value that is none, or is not finite.
    """

    latency_budget_ms: float = 5.0
    quality_floor: float = 0.95
    monthly_requests: int = 1_000_000
    gpu: bool = False
    error_usd: float = 0.01
    reference: str = ""
    today: str = "length-rule"
    surely: bool = True

    def __post_init__(self) -> None:
        for name, least, most in (
            ("latency_budget_ms", 0.0, math.inf), ("quality_floor", 0.0, 2.0), ("monthly_requests", 1, math.inf),
            ("error_usd", 0.0, math.inf),
        ):  # fmt: skip
            value = getattr(self, name)
            real = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not real or not least <= value <= most:
                limits = f"from {least:g}" + ("" if math.isinf(most) else f" to {most:g}")
                raise ToolkitError(f"{name} takes a finite number {limits}; {value!r} was given.")
        for name in ("gpu", "surely"):
            if not isinstance(value := getattr(self, name), bool):
                raise ToolkitError(f"{name} is true or false; {value!r} was given.")
