"""Frames for a terminal."""

import sys

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_OF_FILES = 160  # characters, where the output goes to a file or a pipe
_UNBROKEN = ("name", "class", "system")  # columns whose cells stay on one line


def show(frame: pd.DataFrame) -> None:
    """Print a frame as wide as the terminal, or 160 columns wide for a file; cells are texts, never markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        side = "right" if frame[name].dtype.kind in "if" else "left"
        table.add_column(Text(str(name)), justify=side, no_wrap=name in _UNBROKEN, overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(f"{value:,}" if isinstance(value, int | float) else str(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES).print(table)
