"""What each router adds to a call: one query at a time, text in, decision out, its encoder included."""

import pandas as pd

from toolkit import encoders
from toolkit.evaluation.acceptance import queries
from toolkit.evaluation.latency import interleaved
from toolkit.evaluation.selection import candidates
from toolkit.outcomes import Outcomes
from toolkit.routers import EVERY_VIEW, LEARNED
from toolkit.routers.base import Router
from toolkit.routers.baselines import PromptLength, TokenLengthRule
from toolkit.routers.bert import BertRouter
from toolkit.routers.ensemble import Ensemble
from toolkit.routers.local import KNearestNeighbours

FAST = "minilm-int8"
BERT, BERT_LABELS = "bert", 40
LABELS = 500  # that they are fitted on: neighbours and battles take longer with more


def fast_encoder(name: str) -> str:
    """The same views, MiniLM quantised."""
    return "+".join(FAST if view == "minilm" else view for view in name.split("+"))


def fast_form(router: Router) -> Router:
    """The router as it would be served: MiniLM in int8, a fine-tuned network as an int8 graph."""
    changed = router.params
    if "encoder" in changed:
        changed["encoder"] = fast_encoder(changed["encoder"])
    if isinstance(router, Ensemble):
        changed["members"] = tuple(fast_form(member) for member in router.members)
    return type(router)(**changed)


def served(pair: Outcomes, seed: int = 0) -> dict[str, Router]:
    """The routers that notebook 03 trains and the rules beside them, fitted on ``LABELS`` prompts of a pair.

    bert is fine-tuned on a few, since its time does not depend on that; ``selected`` is the largest of its candidates.
    """
    train = pair.sample(LABELS, seed)
    bert = BertRouter(epochs=1, max_tokens=128, seed=seed, backend="onnx-int8")
    routers = {
        "prompt-length": PromptLength(),
        "length-rule": TokenLengthRule(),
        "knn-lexical": KNearestNeighbours(encoder="lexical"),
        **{name: fast_form(make()) for name, make in LEARNED.items() if name != BERT},
        "selected": candidates(fast_encoder(EVERY_VIEW))[-1],
    }
    fitted = {name: router.fit(train) for name, router in routers.items()}
    return fitted | {BERT: bert.fit(train.sample(BERT_LABELS, seed))}


def rows(
    routers: dict[str, Router], budget_s: float, least: int, calls: int, bootstraps: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Tidy rows of the percentiles of every router on the committed queries, in turns."""
    systems = {name: lambda texts, one=one: _decide(one, texts[0]) for name, one in routers.items()}
    texts = [[text] for text in queries()["text"]]
    found = interleaved(systems, texts, budget_s, calls=calls, least=least, seed=seed).percentiles(bootstraps)
    notes = [
        f"{_form(routers[name])}, fitted on {BERT_LABELS if name == BERT else LABELS} labels; {note}"
        for name, note in zip(found["system"], found["note"], strict=True)
    ]
    return found.assign(note=notes, device="cpu")


def _decide(router: Router, text: str) -> None:
    """One decision as of a prompt never seen; members of an ensemble share their encoder's pass, as when served."""
    encoders.forget(fast_encoder(EVERY_VIEW))
    router.route(text)


def _form(router: Router) -> str:
    """What was timed, in words."""
    if isinstance(router, BertRouter):
        return f"{router.checkpoint} as an int8 graph"
    return FAST if FAST in repr(router) else "no network"
