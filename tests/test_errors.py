"""What is told of an error."""

import errno

import pytest

from pipeline import errors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left"), f"output: No space left; {errors.ROOM}"),
        (OSError(errno.EACCES, "Permission denied", "a"), f"a: Permission denied; {errors.RIGHTS}"),
        (OSError(errno.EEXIST, "File exists", "a"), f"a: File exists; {errors.FOLDER}"),
        (OSError(errno.ENOENT, "No such file", "a"), "a: No such file"),
        # No file's: nothing of output is said.
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), f"[Errno {errno.ECONNREFUSED}] refused"),
        (ValueError("two\n lines"), "two lines"),
        (StopIteration(), "StopIteration"),
    ],
)
def test_what_went_wrong_is_one_line_that_names_a_file_where_there_is_one(error, said):
    assert errors.one_line(error) == said
