"""Why the store doesn't do what it is asked for, in words. Imports no MLflow."""

import re

from pipeline.errors import UserError, first_line, printable
from pipeline.tracking import store

REMEDY = "try again when the store answers"
# What is said of an error whose text matches.
REASONS = {
    "Connection refused": "connection refused",
    "error code 401": "user or password is wrong; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "timed out": "no answer",
    r"too many (\d+) error responses": r"it answers with error \1",
    "RemoteDisconnected|Connection aborted|Connection reset|Remote end closed": "it closes the connection",
    "database is locked": "another process holds it locked",
    "disk is full|No space left": "the disk is full",
    "readonly database": "it can't be written",
    r"No module named '(\w+)'": r"the driver \1 isn't installed",
}


def unanswered(error: Exception, remedy: str = REMEDY) -> UserError:
    """Return what the user is told where the store doesn't do what it is asked for."""
    return UserError(f"tracking: {store.shown()}: {reason(error)}; {remedy}")


def reason(error: Exception) -> str:
    """Return in one line why MLflow, or what it asks, couldn't do something, without credentials."""
    text = str(error)
    for sign, meaning in REASONS.items():
        if found := re.search(sign, text):
            return found.expand(meaning)
    return printable(store.without_credentials(first_line(error)))
