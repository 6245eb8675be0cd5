"""Several processes at a time, each started afresh: a copy of one that computes already may hang."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
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


def pool_of(
    workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> "ProcessPoolExecutor":
    """Return a pool of `workers` processes, in each of which `start` is called with `arguments` first."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(workers, get_context("spawn"), start, arguments)


def in_order(
    function: Callable[[Item], Answer],
    items: Iterable[Item],
    workers: int,
    *,
    killed: Callable[[Item], Answer] | None = None,
    begun: Callable[[int], "ProcessPoolExecutor"] = pool_of,
) -> Iterator[tuple[Item, Answer]]:
    """Yield each item with what `function` makes of it, in the items' order, computed by several processes.

    Parameters
    ----------
    workers
        Processes at a time; a single one is this process, unless an item may end it.
    killed
        The answer for an item that ends its process, which is found by computing it alone; all others are computed as
        if it had not been there. None: such an item ends everything.
    begun
        Gives a pool of so many processes; another one than `pool_of` where they are told something first.

    Raises
    ------
    UserError
        If a process was ended from outside, and there is no `killed`.
    """
    if workers == 1 and killed is None:
        yield from ((item, function(item)) for item in items)
        return
    from concurrent.futures.process import BrokenProcessPool

    pool, queue = begun(workers), iter(items)
    window: deque[tuple[Item, Future[Answer]]] = deque()
    try:
        while True:
            room = AHEAD * workers - len(window)
            window.extend((item, _submitted(pool, function, item)) for item in islice(queue, room))
            if not window:
                return
            item, future = window.popleft()
            try:
                answer = future.result()
            except BrokenProcessPool as error:
                if killed is None:
                    raise UserError(
                        "a worker process was ended from outside, often for want of memory; try fewer processes"
                    ) from error
                answer = _alone(begun, function, item, killed)
                pool.shutdown()
                pool = begun(workers)
                window = deque((each, _again(pool, function, each, before)) for each, before in window)
            yield item, answer
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: "ProcessPoolExecutor", function: Callable[[Item], Answer], item: Item) -> "Future[Answer]":
    """Hand an item to the pool; if it is broken, the answer says so, in the item's turn."""
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    try:
        return pool.submit(function, item)
    except BrokenProcessPool as error:
        broken: Future[Answer] = Future()
        broken.set_exception(error)
        return broken


def _again(
    pool: "ProcessPoolExecutor", function: Callable[[Item], Answer], item: Item, future: "Future[Answer]"
) -> "Future[Answer]":
    """Keep a finished answer; hand an item that was lost with its process to the new pool."""
    if future.done() and not future.cancelled() and future.exception() is None:
        return future
    return _submitted(pool, function, item)


def _alone(
    begun: Callable[[int], "ProcessPoolExecutor"],
    function: Callable[[Item], Answer],
    item: Item,
    killed: Callable[[Item], Answer],
) -> Answer:
    """Compute an item in a process of its own; only this item can be the one that ends it."""
    from concurrent.futures.process import BrokenProcessPool

    with begun(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            return killed(item)
