"""What is said of a metric once, for tables and the glossary."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """``label`` heads a column; ``higher_is_better`` is None where neither direction is better by itself."""

    label: str
    unit: str
    higher_is_better: bool | None
    definition: str
