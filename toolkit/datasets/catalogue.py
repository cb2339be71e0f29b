"""What data sets there are: one entry a set, the facts beside the loader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from toolkit.datasets import llmrouter, registry, routellm, routerbench, routerdc, synthetic, zeroeval
from toolkit.outcomes import Outcomes


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    Attributes:
        load: keyword options -> Outcomes; its keyword-only parameters are the set's options.
        files: its files in data/registry.txt, folders by their prefix; none where the set is generated.
        rows, models, megabytes: what a default load gives; a test holds them to the data.
        source, licence: where it comes from and under which terms.
    """

    load: Callable[..., Outcomes]
    summary: str
    files: Sequence[str]
    rows: int
    models: int
    megabytes: float
    source: str
    licence: str

    def file_names(self) -> list[str]:
        """Registered names of its files."""
        return [name for prefix in self.files for name in registry.names(prefix)]

    def at_hand(self) -> str:
        """``generated``, ``mirror``, ``cache`` or ``no`` (any file missing)."""
        if not self.files:
            return "generated"
        places = {registry.where(name) for name in self.file_names()}
        return "no" if None in places else "/".join(sorted(places))


_ROUTELLM = {"source": "lm-sys/RouteLLM @ 0b64fda", "licence": "Apache-2.0"}
_ZEROEVAL = {"source": "yuchenlin/ZeroEval @ 570c626", "licence": "Apache-2.0"}
_ROUTERDC = {"source": "shuhao02/RouterDC @ 0e63989", "licence": "none stated"}
_LLMROUTER = {"source": "ulab-uiuc/LLMRouter @ 4e7a796", "licence": "MIT"}


def _routerdc(name: str, summary: str, rows: int, megabytes: float) -> Entry:
    return Entry(routerdc.loader(name), summary, routerdc.files_of(name), rows, 7, megabytes, **_ROUTERDC)


def _routerbench(name: str, summary: str, rows: int, megabytes: float) -> Entry:
    return Entry(routerbench.loader(name), summary, routerbench.files_of(name), rows, 11, megabytes, **_ROUTERDC)


_EVALS = "routellm/routellm/evals/"
_RESULTS = "zeroeval/result_dirs/"

CATALOGUE: dict[str, Entry] = {
    "synthetic": Entry(
        synthetic.load, "our own bilingual prompts, item-response outcomes with known truth",
        (), 3000, 3, 0.0, source="this project", licence="Apache-2.0",
    ),
    "routellm/mmlu": Entry(
        routellm.load_mmlu, "57 multiple-choice subjects", (_EVALS + "mmlu/",), 14037, 2, 6.7, **_ROUTELLM
    ),
    "routellm/gsm8k": Entry(
        routellm.load_gsm8k, "school mathematics with both responses", (_EVALS + "gsm8k/",), 1307, 2, 2.0, **_ROUTELLM
    ),
    "routellm/mt_bench": Entry(
        routellm.load_mt_bench, "two-turn questions scored by GPT-4", (_EVALS + "mt_bench/",), 72, 2, 1.5, **_ROUTELLM
    ),
    "routerbench/arc_challenge": _routerbench("arc_challenge", "science questions, true costs", 1484, 3.7),
    "routerbench/mbpp": _routerbench("mbpp", "Python tasks, true costs", 427, 4.5),
    "routerbench/winogrande": _routerbench("winogrande", "pronoun resolution, true costs", 1267, 2.3),
    "routerdc/mmlu": _routerdc("mmlu", "knowledge, train and test parts", 6197, 5.3),
    "routerdc/gsm8k": _routerdc("gsm8k", "school mathematics, train and test parts", 2319, 1.3),
    "routerdc/cmmlu": _routerdc("cmmlu", "Chinese knowledge, train and test parts", 5474, 4.4),
    "routerdc/ceval": _routerdc("ceval", "Chinese examinations", 1346, 1.2),
    "routerdc/arc_challenge": _routerdc("arc_challenge", "science questions, train and test parts", 1170, 0.6),
    "routerdc/arc_easy": _routerdc("arc_easy", "easier science questions, train and test parts", 2372, 1.3),
    "routerdc/humaneval": _routerdc("humaneval", "Python tasks, train and test parts", 164, 0.1),
    "routerdc/mbpp": _routerdc("mbpp", "Python tasks", 500, 0.2),
    "routerdc/javascript": _routerdc("javascript", "JavaScript tasks", 164, 0.1),
    "routerdc/math_prealgebra": _routerdc("math_prealgebra", "MATH, prealgebra", 871, 0.4),
    "llmrouter/default": Entry(
        llmrouter.load_default, "14 kinds of tasks, train and test parts", (llmrouter.ROOT + "/",), 5989, 9, 8.3,
        **_LLMROUTER,
    ),
    "zeroeval/gsm": Entry(
        zeroeval.load_gsm, "school mathematics, full answers", (_RESULTS + "gsm/",), 1319, 15, 44.9, **_ZEROEVAL
    ),
    "zeroeval/crux": Entry(
        zeroeval.load_crux, "code output prediction, full answers", (_RESULTS + "crux/",), 800, 15, 35.6, **_ZEROEVAL
    ),
    "zeroeval/math-l5": Entry(
        zeroeval.load_math_l5, "MATH level 5, full answers", (_RESULTS + "math-l5/",), 721, 15, 33.9, **_ZEROEVAL
    ),
}  # fmt: skip


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
