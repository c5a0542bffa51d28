"""Say what is broken here, and what mends it."""

from collections.abc import Callable, Iterator

from pipeline.doctor import dvc_files, outputs, programs, unfinished

CHECKS: tuple[Callable[[], Iterator[str]], ...] = (
    programs.programs,
    programs.libraries,
    dvc_files.settings,
    dvc_files.stages,
    dvc_files.lock,
    dvc_files.process_locks,
    outputs.platform,
    outputs.leftovers,
    outputs.runs,
    unfinished.runs,
)


def examine(*, deep: bool) -> int:
    """Print one line with the remedy for each thing found; return 1 where there is one, else 0."""
    found = 0
    for check in (*CHECKS, dvc_files.cache) if deep else CHECKS:
        for line in _lines(check):
            print(line, flush=True)
            found += 1
    if not found:
        print("nothing found")
    return 1 if found else 0


def _lines(check: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Yield what a check finds; where it can't read a file, that is what it has found."""
    try:
        yield from check()
    except OSError as error:
        yield f"{error.filename or check.__name__}: {error.strerror or error}; move it away"
    except (ValueError, RecursionError, OverflowError) as error:
        yield f"{check.__name__}: a file can't be read ({type(error).__name__}: {error}); move it away"
