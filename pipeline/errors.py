"""What is told of an error: the one exception whose message is meant for the user, and others in brief."""

import errno
import sys
import traceback
from typing import NoReturn

# Characters that a message repeats of what a file or a server says, which may be of any length.
LONGEST = 300
ROOM, RIGHTS = "make room there, then run it again", "make it writable, then run it again"
FOLDER = "a file stands where a folder belongs; move it away, then run it again"
# What to do about a place that takes nothing, by the number of the error.
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: RIGHTS,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EEXIST: FOLDER,
    errno.ENOTDIR: FOLDER,
}


class UserError(Exception):
    """Something outside the code is wrong: a file, a parameter, a source.

    The message is one line that names the file, field or address, the value found, and the
    remedy. Commands print it without a traceback and exit with status 2.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where there is no message."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def one_line(error: BaseException) -> str:
    """Return what went wrong in one line; of a file that can't be read or written, with the remedy."""
    remedy = REMEDIES.get(error.errno or 0) if isinstance(error, OSError) else None
    # Without a name, what is full is where the output goes: nothing else is written to without one.
    name = getattr(error, "filename", None) or ("output" if remedy else None)
    if isinstance(error, OSError) and name is not None:
        return f"{name}: {error.strerror}" + (f"; {remedy}" if remedy else "")
    return " ".join(str(error).split()) or type(error).__name__


def unforeseen(error: BaseException) -> str:
    """Return in one line an error that nobody expected, such as a library's about its own settings."""
    said = printable(str(error))
    return f"{type(error).__name__}{f': {said}' if said else ''}; with --debug it is shown where"


def fail(error: Exception, debug: bool) -> NoReturn:
    """Print what went wrong in one line, after its traceback where that is asked for; exit with status 2."""
    if debug:
        traceback.print_exception(error)
    foreseen = isinstance(error, (UserError, OSError, MemoryError))
    print(f"error: {one_line(error) if foreseen else unforeseen(error)}", file=sys.stderr)
    sys.exit(2)


def printable(text: str) -> str:
    """Return what a file or a server says on one line, cut where it is long, unable to steer a terminal."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
