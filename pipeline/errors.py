"""The one exception whose message is meant for the user and not for the developer."""


class UserError(Exception):
    """Something outside the code is wrong: a file, a parameter, a source.

    The message is one line that names the file, field or address, the value found, and the
    remedy. Commands print it without a traceback and exit with status 2.
    """
