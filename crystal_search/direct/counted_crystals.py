"""Which crystals of an image file count that is of a well, as `scoring.crystals_in_drop` says, and why none does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import floor

from crystal_search.crystal import Crystal
from crystal_search.images import DecodedImage
from crystal_search.plurals import counted
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.scoring.crystals_in_drop import counts, is_in_drop
from crystal_search.unet_drop.locate import LocatedDrop

NO_DROP = "no drop was found to look in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The crystals that count, or why none does."""

    crystals: tuple[Crystal, ...] = ()
    none_because: str | None = None


def why_unsearched(error: str | None, none_because: str | None) -> str | None:
    """Return why nobody knows whether an image has crystals, from what is told of it; None where it was searched."""
    return error or (none_because if none_because == NO_DROP else None)


def counted_anywhere(found: Sequence[Crystal], least_probability: float) -> Counted:
    """Return all that a detector found with a probability."""
    if found:
        return Counted(crystals=tuple(found))
    none = f"the detector finds no crystal with a probability of {least_probability:g} or more"
    return Counted(none_because=f"{none}; --least says another")


def counted_in_drop(
    found: Counted,
    image: DecodedImage,
    drop: LocatedDrop | None,
    chops: Callable[[LocatedDrop], ChopsAround],
    *,
    crystals_from: float,
) -> Counted:
    """Return those crystals whose centre lies in the drop, and around which the chops speak for some.

    What the chops say is asked for only where a crystal depends on it.

    Parameters
    ----------
    crystals_from
        What the chops around a crystal must say, 0 to 1; at 0 all of `found` in the drop count.
    """
    if drop is None:
        return Counted(none_because=NO_DROP)
    asked = cache(partial(chops, drop))
    wanted = partial(counts, image=image, drop=drop, chops=asked, crystals_from=crystals_from)
    there = tuple(each for each in found.crystals if wanted(each))
    if there or not found.crystals:
        return replace(found, crystals=there)
    inside = [each for each in found.crystals if is_in_drop(each, image, drop)]
    if not inside:
        return Counted(none_because=f"{counted(len(found.crystals), 'crystal')} beside the drop, none in it")
    said = [asked().speak_for_crystals(each.row, each.column) for each in inside]
    return Counted(none_because=_against(asked(), said, crystals_from))


def _against(around: ChopsAround, said: Sequence[float], crystals_from: float) -> str:
    there = f"{counted(len(said), 'crystal')} in the drop"
    if around.best < crystals_from:
        says = f"the classifier sees none: the best chop says {_cut(around.best)}"
    else:
        says = f"the chops around say {_cut(max(said))} at most"
    return f"{there}, but {says}, below {crystals_from:g}"


def _cut(probability: float) -> str:
    """Return a probability so that one which is too low looks too low."""
    return f"{floor(100 * probability + 1e-9) / 100:.2f}"
