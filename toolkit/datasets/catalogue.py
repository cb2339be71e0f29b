"""What data sets there are: one entry a set, the facts beside the loader."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from toolkit.datasets import registry, routellm, synthetic
from toolkit.outcomes import Outcomes


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    Attributes:
        load: keyword options -> Outcomes; its keyword-only parameters are the set's options.
        files: prefix of its files in data/registry.txt; "" where the set is generated.
        rows, models, megabytes: what a default load gives; a test holds them to the data.
        source, licence: where it comes from and under which terms.
    """

    load: Callable[..., Outcomes]
    summary: str
    files: str
    rows: int
    models: int
    megabytes: float
    source: str
    licence: str

    def at_hand(self) -> str:
        """``generated``, ``mirror``, ``cache`` or ``no`` (any file missing)."""
        if not self.files:
            return "generated"
        places = {registry.where(name) for name in registry.names(self.files)}
        return "no" if None in places else "/".join(sorted(places))


_ROUTELLM = {"source": "lm-sys/RouteLLM @ 0b64fda", "licence": "Apache-2.0"}

CATALOGUE: dict[str, Entry] = {
    "synthetic": Entry(
        synthetic.load,
        "bilingual prompts of our own, outcomes from an item-response model with known truth",
        files="",
        rows=3000,
        models=3,
        megabytes=0.0,
        source="this project",
        licence="Apache-2.0",
    ),
    "routellm/mmlu": Entry(
        routellm.load_mmlu,
        "57 multiple-choice subjects, GPT-4 and Mixtral 8x7B",
        files="routellm/routellm/evals/mmlu/",
        rows=14037,
        models=2,
        megabytes=6.7,
        **_ROUTELLM,
    ),
    "routellm/gsm8k": Entry(
        routellm.load_gsm8k,
        "grade-school mathematics with both responses, GPT-4 and Mixtral 8x7B",
        files="routellm/routellm/evals/gsm8k/",
        rows=1307,
        models=2,
        megabytes=2.0,
        **_ROUTELLM,
    ),
    "routellm/mt_bench": Entry(
        routellm.load_mt_bench,
        "two-turn questions scored by GPT-4, GPT-4 and Mixtral 8x7B",
        files="routellm/routellm/evals/mt_bench/",
        rows=72,
        models=2,
        megabytes=1.5,
        **_ROUTELLM,
    ),
}


def table() -> pd.DataFrame:
    """The catalogue as a frame: name, rows, models, licence, size, at hand, summary."""
    return pd.DataFrame(
        [
            {
                "name": name,
                "rows": entry.rows,
                "models": entry.models,
                "licence": entry.licence,
                "size_mb": entry.megabytes,
                "at hand": entry.at_hand(),
                "what": entry.summary,
            }
            for name, entry in CATALOGUE.items()
        ]
    )
