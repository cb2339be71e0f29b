"""The words around routes and conversation. What a router was trained on is a wire format: other words, another router.

``gateway`` is the prompt that Arch-Router was trained for, taken at run time from the file in which its authors publish
it; its text is no part of this project. ``own`` is our wording, with everything that stays the same before the
conversation, so that a cache of keys and values serves nearly all of it; no figure of Arch-Router's holds for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError, first_line
from toolkit.routes.conversation import estimated_tokens

GATEWAY_FILE = "archgw/crates/brightstaff/src/router/router_model_v1.rs"
_CONSTANT = re.compile(r'\bARCH_ROUTER_V1_SYSTEM_PROMPT\s*:\s*&(?:\'static\s+)?str\s*=\s*r#"(.*?)"#', re.DOTALL)
_SLOTS = ("{routes}", "{conversation}")

OWN = """\
Decide which route fits what the user wants in the last turn of a conversation.
The routes, as JSON: {routes}
Answer with JSON alone: {"route": "NAME"} with a name copied from the routes, or {"route": "other"} where no route \
fits or nothing more is wanted.
The conversation, as JSON: {conversation}"""


@dataclass(frozen=True)
class Dialect:
    """A prompt with slots for routes and conversation.

    Args:
        name: for tables.
        template: text with ``{routes}`` and ``{conversation}``, once each.

    Raises:
        ToolkitError: a slot is missing, or stands there twice.
    """

    name: str
    template: str

    def __post_init__(self) -> None:
        for slot in _SLOTS:
            if (count := self.template.count(slot)) != 1:
                raise ToolkitError(f"Template {self.name}: {slot} was expected once; it stands there {count} times.")

    @property
    def tokens(self) -> int:
        """What the gateway's budget begins with, estimated of the template as it stands, slots included."""
        return estimated_tokens(self.template)

    def render(self, routes: str, conversation: str) -> str:
        """The prompt; slots inside what is filled in stay what they are."""
        values = dict(zip(_SLOTS, (routes, conversation), strict=True))
        return readable(re.sub("|".join(map(re.escape, _SLOTS)), lambda found: values[found[0]], self.template))


def read_template(template: str | Path, slots: Sequence[str] = _SLOTS) -> str:
    """A template's text: itself where it has a slot, else the content of the file it names; empty stays empty.

    Raises:
        ToolkitError: there is no such file.
    """
    given = str(template)
    if not given or any(slot in given for slot in slots):
        return given
    try:
        return Path(given).read_text(encoding="utf-8") or " "
    except (OSError, UnicodeDecodeError) as err:
        raise ToolkitError(f"{given}: a template in UTF-8 was expected ({first_line(err)}).") from err


def dialect(name: str = "own", template: str = "") -> Dialect:
    """A dialect by name, or the text of a template of the user's own.

    Raises:
        ToolkitError: no such dialect, a template without its slots, or the gateway's file cannot be had.
    """
    if template:
        return Dialect("of your own", template)
    if name == "own":
        return Dialect("own", OWN)
    if name == "gateway":
        return _gateway()
    raise ToolkitError(f"No dialect {name!r}; there are own and gateway, and template=PATH for one of yours.")


@cache
def _gateway() -> Dialect:
    from toolkit.datasets import registry

    path = registry.fetch(GATEWAY_FILE)
    found = _CONSTANT.search(path.read_text(encoding="utf-8"))
    if not found:
        raise ToolkitError(f"{path}: the constant ARCH_ROUTER_V1_SYSTEM_PROMPT was expected; it is not there.")
    return Dialect("gateway", found[1])
