"""The one exception for mistakes that a user can mend."""


class ToolkitError(Exception):
    """A bad name, file, parameter or environment.

    The message is one sentence or two: what was expected, what was found, what to do. The command line prints it
    without a traceback and exits with status 2.
    """


def first_line(err: Exception) -> str:
    """The first line of another library's message, or its kind where it has none."""
    return (str(err).splitlines() or [type(err).__name__])[0]
