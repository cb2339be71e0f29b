"""Research toolkit for LLM routing: which router should send which prompt to which model, and how do we know?

The names below are loaded on first use, so that ``import toolkit`` stays cheap and never imports torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Outcomes": "toolkit.outcomes",
    "ToolkitError": "toolkit.errors",
    "load": "toolkit.datasets",
    "load_router": "toolkit.routers.persistence",
    "save_router": "toolkit.routers.persistence",
    "Decision": "toolkit.routers.base",
    "select_model_by_bert": "toolkit.routers.dropin",
    "compare_on_cost": "toolkit.evaluation.leaderboard",
    "compare_pair": "toolkit.evaluation.leaderboard",
}

__all__ = [
    "Decision",
    "Outcomes",
    "ToolkitError",
    "__version__",
    "compare_on_cost",
    "compare_pair",
    "load",
    "load_router",
    "save_router",
    "select_model_by_bert",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
