"""How thorough a run is."""

from dataclasses import dataclass

from toolkit.errors import ToolkitError


@dataclass(frozen=True)
class Profile:
    """Attributes: at most ``max_prompts`` prompts are drawn, ``bootstraps`` replicates, ``folds`` of cross-fitting."""

    max_prompts: int
    bootstraps: int
    folds: int


PROFILES = {
    "smoke": Profile(max_prompts=400, bootstraps=200, folds=3),
    "quick": Profile(max_prompts=20_000, bootstraps=1_000, folds=5),
    "full": Profile(max_prompts=1_000_000, bootstraps=5_000, folds=10),
}


def get(name: str) -> Profile:
    """The profile of a name; ToolkitError, with the names there are, for an unknown one."""
    if name not in PROFILES:
        raise ToolkitError(f"No profile {name!r}; there are {', '.join(PROFILES)}.")
    return PROFILES[name]
