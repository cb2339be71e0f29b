"""How Sphinx builds these pages and the reference of all modules. ``make docs`` calls it; GitHub shows the Markdown."""

import inspect
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout beside these pages, whatever else is installed

import toolkit  # noqa: E402 - found by the line above

project = "LLM routing toolkit"
author = "The llm-routing-toolkit authors"
release = version = toolkit.__version__

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "240px"}
html_copy_source = False
html_show_copyright = False

# A page for every module, written anew at each build: none can be forgotten, and none is committed.
apidoc_modules = [
    {
        "path": str(ROOT / "toolkit"),
        "destination": "api/",
        "exclude_patterns": [str(ROOT / "toolkit" / "_bundled"), str(ROOT / "toolkit" / "__main__.py")],
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_default_options = {"ignore-module-all": True}  # a name that is offered twice is told where it is defined
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Returns"]  # prose: the type stands in the signature, and "a row: text" is no type

# What `-n` asks of every name: known here, or of a library whose pages are not read offline, or private.
_STANDARD = "argparse|collections|concurrent|contextlib|dataclasses|datetime|pathlib|sqlite3|subprocess|threading"
_LIBRARIES = "IPython|filelock|fsspec|ipywidgets|jinja2|markupsafe|matplotlib|np|numpy|pandas|pd|t|torch|transformers"
nitpick_ignore_regex = [("py:.*", rf"({_STANDARD}|{_LIBRARIES})\..*"), ("py:.*", r"toolkit\.(\w+\.)*_\w+")]


def setup(app: Any) -> None:
    """What a page on GitHub has and a built one has not, and what the reference leaves out."""
    app.connect("source-read", _without_links_to_the_checkout)
    app.connect("autodoc-skip-member", _without_words)


def _without_links_to_the_checkout(app: Any, name: str, source: list[str]) -> None:
    """Links from a page to files outside of docs/ are for GitHub; here their text stays."""
    up = r"\.\./" * (1 + name.count("/"))
    source[0] = re.sub(rf"(?<!!)\[([^\]]+)\]\({up}[^)]*\)", r"\1", source[0])


def _without_words(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Whatever has no docstring of its own: fields are told by their class.

    And ``toolkit.routers.baselines``, since a module has the same name; the package's docstring tells it.
    """
    kinds = inspect.isroutine(obj) or inspect.isclass(obj) or isinstance(obj, property | cached_property)
    return None if kinds and inspect.getdoc(obj) and getattr(obj, "__qualname__", "") != "baselines" else True
