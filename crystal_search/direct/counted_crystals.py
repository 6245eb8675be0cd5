"""Which crystals of an image file count that is of a well, as `scoring.crystals_in_drop` says, and why none does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import floor

from crystal_search.crystal import Crystal
from crystal_search.crystals.finding import seen_crystals
from crystal_search.images import DecodedImage
from crystal_search.inference import Network
from crystal_search.model_card import CrystalCard
from crystal_search.plurals import counted
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.scoring.crystals_in_drop import Limits, is_in_drop, seen_in_drop
from crystal_search.unet_drop.locate import LocatedDrop

NO_DROP = "no drop was found to look in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The crystals that count, or why none does."""

    crystals: tuple[Crystal, ...] = ()
    seen: tuple[Crystal, ...] = ()  #: all that the detector tells, also where they do not count
    none_because: str | None = None


def why_unsearched(error: str | None, none_because: str | None) -> str | None:
    """Return why nobody knows whether an image has crystals, from what is told of it; None where it was searched."""
    return error or (none_because if none_because == NO_DROP else None)


def counted_anywhere(image: DecodedImage, detector: Network[CrystalCard], limits: Limits) -> Counted:
    """Return all that a detector finds with the probability of those that count."""
    seen = seen_crystals(image, detector, least_probability=limits.seen_from)
    counting = [at for at, each in enumerate(seen.crystals) if each.probability >= limits.counts_from]
    none_because = None if counting else _none_found(limits)
    return Counted(crystals=seen.measured(counting), seen=seen.stored, none_because=none_because)


def counted_in_drop(
    image: DecodedImage,
    detector: Network[CrystalCard],
    drop: LocatedDrop | None,
    chops: Callable[[], ChopsAround],
    limits: Limits,
) -> Counted:
    """Return those crystals that count in the drop as they do in clients; without a drop nothing is looked at.

    What the chops say is asked for only where a crystal depends on it.
    """
    if drop is None:
        return Counted(none_because=NO_DROP)
    asked = cache(chops)
    found = seen_in_drop(image, detector, drop, asked, limits)
    if found.counting:
        return Counted(crystals=found.seen.measured(found.counting), seen=found.stored)
    return Counted(seen=found.stored, none_because=_none_counts(found.stored, image, drop, asked, limits))


def _none_found(limits: Limits) -> str:
    none = f"the detector finds no crystal with a probability of {limits.counts_from:g} or more"
    return f"{none}; --least says another"


def _none_counts(
    stored: Sequence[Crystal],
    image: DecodedImage,
    drop: LocatedDrop,
    chops: Callable[[], ChopsAround],
    limits: Limits,
) -> str:
    """Return why of all that a detector sees nothing counts."""
    probable = [each for each in stored if each.probability >= limits.counts_from]
    if not probable:
        return _none_found(limits)
    inside = [each for each in probable if is_in_drop(each, image, drop)]
    if not inside:
        return f"{counted(len(probable), 'crystal')} beside the drop, none in it"
    said = [chops().speak_for_crystals(each.row, each.column) for each in inside]
    return _against(chops(), said, limits.crystals_from)


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
