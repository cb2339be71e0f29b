"""The one exception for mistakes that a user can mend."""


class ToolkitError(Exception):
    """A bad name, file, parameter or environment.

    The message is one sentence or two: what was expected, what was found, what to do. The command line prints it
    without a traceback and exits with status 2.
    """
