"""A decision in words: the sentences of ``wording/``, with numbers written in one way."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import ToolkitError
from toolkit.reporting import present

_FOLDER = Path(__file__).resolve().parent / "wording"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yml")))
_NOTHING, _MINUS = "–", "\N{MINUS SIGN}"
_ZEROS = re.compile(r"(\.\d*?)0+(?=%?$)")  # of a figure that is given and not measured
_WIDE_MARKS = re.compile(r" *([（），。；：、“”]) *")  # full-width marks bring their own space


class Wording:
    """The words of one language.

    Args:
        language: a file of ``wording/`` by its stem.

    Raises:
        ToolkitError: there is no such file.
    """

    def __init__(self, language: str = "en"):
        if language not in LANGUAGES:
            raise ToolkitError(f"language is one of {', '.join(LANGUAGES)}; {language!r} was given.")
        self.language = language
        self._content = _read(language)

    def word(self, name: str, /, **values: Any) -> str:
        """A word or a fixed text by its name."""
        return self._tidy(self._content["words"][name].format(**values))

    def say(self, statement: Mapping[str, Any] | None) -> str:
        """A statement as a sentence; a dash where there is none."""
        if statement is None:
            return _NOTHING
        if statement["say"] == "claim":
            return self.claim(statement["with"])
        values = {name: self.value(value) for name, value in statement["with"].items()}
        return self._tidy(self._content["statements"][statement["say"]].format(**values))

    def value(self, value: Any) -> str:
        """What may stand in a statement: text, a count, an estimate, or another statement."""
        if isinstance(value, Mapping):
            return self.say(value) if "say" in value else self.figure(value)
        return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else str(value)

    def figure(self, estimate: Mapping[str, Any] | None) -> str:
        """``value [low, high]`` with its unit; a dash of none."""
        if estimate is None or estimate["value"] is None:
            return _NOTHING
        unit, frame = estimate["unit"], self._content["units"].get(estimate["unit"], "{}")
        if unit == "p":
            return f"{estimate['value']:.2g}"
        if unit == "weight":
            return f"{estimate['value']:.4g}"  # for the command line, which knows the hyphen alone as a minus
        numbers = [estimate[key] for key in ("value", "low", "high") if key in estimate]
        numbers = numbers[:1] if len(set(numbers)) == 1 else numbers  # nothing was left to chance
        value, *bounds = present.figure_texts(numbers, unit)
        if not bounds:
            value = _ZEROS.sub(r"\1", value).replace(".%", "%").removesuffix(".")
        sign = _MINUS if value.startswith(_MINUS) else ""
        value = sign + frame.format(value.removeprefix(_MINUS))
        return f"{value} [{', '.join(bounds)}]" if bounds and bounds[0] != bounds[1] else value

    def claim(self, claim: Mapping[str, Any]) -> str:
        """A figure of the survey's ledger: a range with its unit, or what it says in words."""
        word = lambda name: self._content["claim_words"].get(name, name)  # noqa: E731
        scale = self._content["scales"].get(claim["unit"], 1)  # Chinese counts parameters in hundreds of millions
        low, high = (None if value is None else f"{scale * value:g}" for value in (claim["low"], claim["high"]))
        which = claim["system"].split()[-1]
        tail = f" ({word(which)})" if which in ("classifier", "routing") else ""
        if low is None and high is None:
            return word(claim["value"]) + tail
        gap = "" if claim["unit"] == "%" else " "
        unit = f"{gap}{word(claim['unit'])}"
        if low is None or high is None:
            return f"{word('at_least' if high is None else 'at_most')} {low or high}{unit}{tail}"
        return (low if low == high else f"{low}–{high}") + unit + tail

    def _tidy(self, text: str) -> str:
        return _WIDE_MARKS.sub(r"\1", text) if self.language == "zh" else text


@cache
def _read(language: str) -> dict[str, dict[str, str]]:
    return yaml.safe_load((_FOLDER / f"{language}.yml").read_text(encoding="utf-8"))
