"""Work done ahead of its use, in a thread of its own."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield the items in order, each made by a background thread up to `depth` before it is asked for.

    What making one raises is raised where that item would have come. When nobody asks any more, no
    further item is begun.
    """
    end = object()
    with ThreadPoolExecutor(max_workers=1) as worker:
        waiting = deque(worker.submit(next, items, end) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(worker.submit(next, items, end))
                yield item  # type: ignore[misc]  # no longer the end
        finally:
            for each in waiting:
                each.cancel()
