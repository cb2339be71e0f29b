"""Parts of a gateway that fit each other: the same models, the same vectors."""

from numbers import Real
from typing import Any

import numpy as np

from toolkit import encoders, policy
from toolkit.bandits.base import Bandit
from toolkit.bandits.dueling import DuelingThompson
from toolkit.cache.semantic import SemanticCache
from toolkit.encoders import Encoder
from toolkit.errors import ToolkitError
from toolkit.routers.base import Router
from toolkit.routers.embedding import EmbeddingRouter


def check_models(router: Router, bandit: Bandit | None) -> None:
    """A fitted router with scores, and a bandit of one stream over its models.

    Raises:
        ToolkitError: something else.
    """
    if not isinstance(router, Router) or not hasattr(router, "models_") or not router.has_scores:
        raise ToolkitError(f"Gateway: a fitted router with scores was expected; got {router!r}.")
    models = list(router.models_)
    if bandit is not None and (not isinstance(bandit, Bandit) or bandit.arms != models or bandit.streams != 1):
        found = f"{bandit.streams} of {', '.join(bandit.arms)}" if isinstance(bandit, Bandit) else repr(bandit)
        raise ToolkitError(f"Gateway: a bandit of 1 stream of {', '.join(models)} was expected; got {found}.")
    if isinstance(bandit, DuelingThompson):
        raise ToolkitError("Gateway: a bandit that learns from single rewards was expected; duels need two answers.")


def shared_encoder(router: Router, cache: SemanticCache | None, given: Encoder | None) -> Encoder | None:
    """The encoder that router and cache share; a router that reads texts by itself leaves it to the cache.

    Without a memory, which would tell by its speed what others asked.

    Raises:
        ToolkitError: vectors that the router was not fitted on.
    """
    if not isinstance(router, EmbeddingRouter):
        return given or (None if cache is None else cache.encoder)
    own = given or encoders.fresh(router.encoder)
    held = own if cache is None else cache.encoder
    for part, used in (("encoder", own), ("cache's encoder", held)):
        if used.identity != encoders.get(router.encoder).identity:
            raise ToolkitError(
                f"Gateway: vectors of {router.encoder!r} were expected, which the router was fitted on; the {part} "
                f"given is {used.identity}."
            )
    return own


def check_context(bandit: Bandit | None, encoder: Encoder | None) -> None:
    """A contextual bandit reads the encoder's vectors.

    Raises:
        ToolkitError: its contexts have another length.
    """
    if bandit is not None and bandit.contextual:
        length = None if encoder is None else encoder.dimension
        if bandit.context_dimension != length:
            raise ToolkitError(
                f"Gateway: a bandit with contexts of the encoder's length {length} was expected; got "
                f"{bandit.context_dimension}."
            )


def checked_weight(weight: Any, priced: bool, bandit: Bandit | None) -> float:
    """The weight of a policy as a number; a pacer gives an array of one.

    Raises:
        ToolkitError: it is none, costs are unknown, or it is below 0 where a bandit learns utility.
    """
    weight = weight.item() if isinstance(weight, np.ndarray | np.generic) and np.size(weight) == 1 else weight
    policy.check_weight(weight, priced)
    if weight < 0 and bandit is not None and bandit.learns_utility:
        raise ToolkitError(f"Gateway: a weight from 0 was expected of a bandit that learns utility; got {weight:g}.")
    return float(weight)


def checked_draws(draws: int, explore: float) -> int:
    """How many draws stand behind a logged chance.

    Raises:
        ToolkitError: fewer than 2, or a share of exploration that is none.
    """
    if not isinstance(draws, int) or draws < 2 or not 0 <= explore <= 1:
        raise ToolkitError(f"Gateway: draws from 2 and explore from 0 to 1 were expected; got {draws!r}, {explore!r}.")
    return draws


def check_told(reward: Any, cost_usd: Any) -> None:
    """What a gateway is told of an answer.

    Raises:
        ToolkitError: a reward outside [0, 1], or dollars that are none.
    """
    paid = cost_usd is None or (isinstance(cost_usd, Real) and 0 <= cost_usd < np.inf)
    if not isinstance(reward, Real) or not 0 <= reward <= 1 or not paid:
        raise ToolkitError(
            f"Gateway.update: a reward from 0 to 1 and a cost from 0 were expected; got {reward!r}, {cost_usd!r}."
        )
