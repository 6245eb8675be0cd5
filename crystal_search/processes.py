"""Several processes at a time, each started afresh: a copy of one that computes already may hang."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from crystal_search.errors import UserError

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

AHEAD = 16  #: items for each process that are worked on or wait to be taken

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def processors() -> int:
    """Return how many processors this process may use, where the system says so, else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool_of(workers: int, start: Callable[..., None] | None = None, *arguments: Any) -> "ProcessPoolExecutor":
    """Return a pool of `workers` processes, in each of which `start` is called with `arguments` first."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(workers, get_context("spawn"), start, arguments)


def in_order(function: Callable[[Item], Answer], items: Iterable[Item], workers: int) -> Iterator[tuple[Item, Answer]]:
    """Yield each item with what `function` makes of it, in the items' order, computed by several processes.

    Raises
    ------
    UserError
        If a process was ended from outside.
    """
    from concurrent.futures.process import BrokenProcessPool

    if workers == 1:
        yield from ((item, function(item)) for item in items)
        return
    pool = pool_of(workers)
    waiting: deque[tuple[Item, Future[Answer]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= AHEAD * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was ended from outside, often for want of memory; try fewer processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
