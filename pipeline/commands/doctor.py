"""Say what is broken here, and what mends it."""

from collections.abc import Callable, Iterator

from pipeline.doctor import dvc_files, outputs, programs, unfinished

CHECKS: tuple[Callable[[], Iterator[str]], ...] = (
    programs.programs,
    programs.libraries,
    dvc_files.lock_file,
    dvc_files.process_locks,
    outputs.leftovers,
    outputs.runs,
    unfinished.runs,
)


def examine(*, deep: bool) -> int:
    """Print one line with the remedy for each thing found; return 1 where there is one, else 0."""
    found = 0
    for check in (*CHECKS, dvc_files.cache) if deep else CHECKS:
        for line in check():
            print(line, flush=True)
            found += 1
    if not found:
        print("nothing found")
    return 1 if found else 0
