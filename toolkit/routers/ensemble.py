"""Several routers as one."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers import persistence
from toolkit.routers.base import Router


class Ensemble(Router):
    """Mean of the members' predictions.

    Args:
        members: routers with scores that read the text only; they are cloned before they are fitted.

    Raises:
        ToolkitError: no members, or one without scores or with metadata.
    """

    def __init__(self, members: tuple[Router, ...]):
        self.members = readers_of_text(members, "Ensemble")

    def _fit(self, train: Outcomes) -> None:
        self._fitted = [member.clone().fit(train) for member in self.members]

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return np.mean([member.predict(texts) for member in self._fitted], axis=0)

    def save_parts(self, folder: Path) -> None:
        for number, member in enumerate(self._fitted):
            persistence.save_router(member, folder / f"member{number}")

    def restore_parts(self, folder: Path, known: Iterable[type[Router]]) -> None:
        found = [persistence.load_router(folder / f"member{number}", known) for number in range(len(self.members))]
        if any(member.models_ != self.models_ for member in found):
            raise ToolkitError(f"{folder}: the members know other models than the ensemble; save the router again.")
        self._fitted = found


def readers_of_text(members: Sequence[Router], owner: str) -> tuple[Router, ...]:
    """The members, all of which must have scores and read nothing but the text.

    Raises:
        ToolkitError: no members, or one without scores, with metadata or with outcomes.
    """
    if not members:
        raise ToolkitError(f"{owner}: at least one member was expected; found none.")
    for member in members:
        if (
            not isinstance(member, Router)
            or not member.has_scores
            or member.uses_metadata
            or member.uses_outcomes
            or member.uses_answers
        ):
            raise ToolkitError(f"{owner}: members with scores from the text alone were expected; {member!r} is none.")
    return tuple(members)
