"""What is told of an error: the one exception whose message is meant for the user, and others in brief."""

# Characters that a message repeats of what a file or a server says, which may be of any length.
LONGEST = 300


class UserError(Exception):
    """Something outside the code is wrong: a file, a parameter, a source.

    The message is one line that names the file, field or address, the value found, and the
    remedy. Commands print it without a traceback and exit with status 2.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where there is no message."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def unforeseen(error: BaseException) -> str:
    """Return in one line an error that nobody expected, such as a library's about its own settings."""
    said = printable(str(error))
    return f"{type(error).__name__}{f': {said}' if said else ''}; with --debug it is shown where"


def printable(text: str) -> str:
    """Return what a file or a server says on one line, cut where it is long, unable to steer a terminal."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
