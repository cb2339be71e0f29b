"""Other libraries' progress bars and news, off where they say nothing that a user can act on."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """transformers without its progress bars and news."""
    from transformers.utils import logging as news

    verbosity, bars = news.get_verbosity(), news.is_progress_bar_enabled()
    news.set_verbosity_error()
    news.disable_progress_bar()
    try:
        yield
    finally:
        news.set_verbosity(verbosity)
        if bars:
            news.enable_progress_bar()


@contextlib.contextmanager
def quiet_export() -> Iterator[None]:
    """Exporters warn about their own internals at length; what fails still raises."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
