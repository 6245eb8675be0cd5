"""What is made of an object once, for as long as the same object is asked about."""

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

Of = TypeVar("Of")
Made = TypeVar("Made")


class _Same(Generic[Of]):
    """An object as a key: equal to itself alone, so that nobody has to compare what it says."""

    __slots__ = ("it",)

    def __init__(self, it: Of) -> None:
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it


def made_once(limit: int) -> Callable[[Callable[[Of], Made]], Callable[[Of], Made]]:
    """Have a function of one object that never changes remember its last `limit` answers, which nobody may change.

    >>> @made_once(limit=100)
    ... def shown(score):
    ...     return [score]
    >>> score = ("crystal", 0.9)
    >>> shown(score) is shown(score)
    True
    """

    def remembering(make: Callable[[Of], Made]) -> Callable[[Of], Made]:
        @lru_cache(limit)
        def kept(same: _Same[Of]) -> Made:
            return make(same.it)

        return lambda of: kept(_Same(of))

    return remembering
