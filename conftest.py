"""For tests and notebooks alike: nothing is downloaded, and notebooks are compared on plain text only."""

import os

import pytest

os.environ["TOOLKIT_OFFLINE"] = "1"  # kernels inherit it
# Spell the choice of a matplotlib backend, so that no notebook opens a window.
os.environ["MPLBACKEND"] = "agg"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Checked cells print rounded numbers as text; HTML and warnings differ between versions."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "text/html")
