"""Objects that are what their constructor was given: parameters by name, copies and ``repr`` derive from that."""

import copy
import inspect
from typing import Any, Self

from toolkit.errors import ToolkitError


class Parameterised:
    """Keyword arguments of ``__init__`` are kept under their own names."""

    @property
    def params(self) -> dict[str, Any]:
        """Constructor arguments by name.

        Raises:
            ToolkitError: one is not kept under its own name.
        """
        names = list(inspect.signature(type(self)).parameters)
        if missing := [name for name in names if not hasattr(self, name)]:
            raise ToolkitError(
                f"{type(self).__name__}: keep the argument {missing[0]!r} of __init__ under its own name."
            )
        return {name: getattr(self, name) for name in names}

    def clone(self) -> Self:
        """A new one with the same parameters, which has learned nothing."""
        return type(self)(**copy.deepcopy(self.params))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.params.items())})"
