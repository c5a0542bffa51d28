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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.UserError("params.yaml: seed: is missing"), "params.yaml: seed: is missing"),
        (OSError(errno.ENOENT, "No such file", "a"), "a: No such file"),
        (MemoryError(), "MemoryError"),
        (ValueError("a\nb"), "ValueError: a b; with --debug it is shown where"),
        (KeyError(), "KeyError; with --debug it is shown where"),
    ],
)
def test_an_error_is_one_line_with_status_2_and_its_traceback_only_if_asked_for(error, said, capsys):
    for debug in (False, True):
        with pytest.raises(SystemExit) as end:
            errors.fail(error, debug=debug)
        assert end.value.code == 2
        out, err = capsys.readouterr()
        assert (out, err.splitlines()[-1]) == ("", f"error: {said}")
        assert (len(err.splitlines()) > 1) == debug


def test_what_a_file_says_is_cut_and_cannot_steer_a_terminal():
    assert errors.printable("a\r\n\tb \x1b[31m") == "a b \N{REPLACEMENT CHARACTER}[31m"
    assert errors.printable("x" * 10_000) == "x" * errors.LONGEST + "…"
