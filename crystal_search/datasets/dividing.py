"""Which images train, which validate, which test: whole plates or wells, with all that looks the same.

Plates or wells that share a picture (`fingerprints.near_pairs`) become one group, and a group is in one split. Groups
are divided by the outcome of highest priority among their images: those of one outcome are put in the order of a hash
of their names and the seed, and cut where the shares say. So each split gets of each outcome what its share is, as far
as whole groups allow, and the same archive and seed always give the same splits.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.wells import SPLITS

TRAIN, VALIDATION, TEST = SPLITS
FEWEST_PLATES = 5  #: with fewer, wells are what is divided
DEFAULT_SHARES = {TRAIN: 0.8, VALIDATION: 0.1, TEST: 0.1}


@dataclass(frozen=True, slots=True)
class Member:
    """An image as splitting sees it."""

    outcome: str
    well: str
    plate: str
    split: str | None  #: that its publisher put it in


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The splits of images."""

    by: str  #: ``plate`` or ``well``
    splits: tuple[str | None, ...]  #: of each image; None where it contradicts its publisher's and is left out
    groups: tuple[str, ...]  #: of each image
    merged: int  #: plates or wells that went into a group with others because a picture looks the same


class _Joined:
    """Names that are in one group (union-find); a group is called after the first of its names."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def group(self, name: str) -> str:
        parent = self._parents.setdefault(name, name)
        while parent != self._parents[parent]:
            self._parents[parent] = self._parents[self._parents[parent]]
            parent = self._parents[parent]
        return parent

    def join(self, one: str, other: str) -> None:
        first, last = sorted((self.group(one), self.group(other)))
        self._parents[last] = first


def divided(
    members: Sequence[Member],
    pairs: Iterable[tuple[int, int]],
    *,
    by: str | None = None,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    seed: int = 0,
    earlier: Mapping[str, str] | None = None,
) -> Division:
    """Divide images among the splits.

    Parameters
    ----------
    members
        The images, in any order.
    pairs
        Positions of images that look the same.
    by
        ``plate`` or ``well``; if None, plates where there are at least five and every image has one.
    shares
        Of the images in each split; they need not add up to 1. One without a share gets what its publisher put there.
    seed
        Another seed gives other splits.
    earlier
        Splits of wells in an earlier dataset, which they keep, so that no network meets wells that it was trained on
        among those that judge it.
    """
    if any(member.split == TEST for member in members) and shares[TRAIN] + shares[VALIDATION] > 0:
        shares = {**shares, TEST: 0.0}
    members = [replace(each, split=earlier.get(each.well, each.split)) for each in members] if earlier else members
    plates = {member.plate for member in members}
    by = by or ("plate" if "" not in plates and len(plates) >= FEWEST_PLATES else "well")
    names = [f"plate {each.plate}" if by == "plate" and each.plate else f"well {each.well}" for each in members]
    joined = _Joined()
    for first, second in pairs:
        joined.join(names[first], names[second])
    groups = [joined.group(name) for name in names]
    published = _published(members, groups)
    chosen = published | _shared_out(members, groups, published, shares, seed)
    splits = tuple(
        chosen[group] if each.split in (None, chosen[group], _source_of(chosen[group], members)) else None
        for each, group in zip(members, groups, strict=True)
    )
    merged = len(set(names)) - len(set(groups))
    return Division(by=by, splits=splits, groups=tuple(groups), merged=merged)


def _without_validation(members: Sequence[Member]) -> bool:
    """Return whether a publisher named splits, but none to validate on."""
    named = {member.split for member in members}
    return TRAIN in named and VALIDATION not in named


def _source_of(split: str, members: Sequence[Member]) -> str:
    """Return the publisher's split that a split was taken from."""
    return TRAIN if split == VALIDATION and _without_validation(members) else split


def _published(members: Sequence[Member], groups: Sequence[str]) -> dict[str, str]:
    """Return the splits of groups that a publisher put there; what is in several goes to the one that must stay clean.

    A publisher's training groups are left to be divided where the publisher has none to validate on.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for member, group in zip(members, groups, strict=True):
        if member.split is not None:
            named[group].add(member.split)
    found = {
        group: next(split for split in (TEST, VALIDATION, TRAIN) if split in splits) for group, splits in named.items()
    }
    if _without_validation(members):
        return {group: split for group, split in found.items() if split != TRAIN}
    return found


def _shared_out(
    members: Sequence[Member],
    groups: Sequence[str],
    published: Mapping[str, str],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, str]:
    """Return the splits of the groups that nobody divided."""
    sizes = Counter(group for group in groups if group not in published)
    strata: dict[int, list[str]] = defaultdict(list)
    for group, rank in _first_outcomes(members, groups).items():
        if group not in published:
            strata[rank].append(group)
    chosen: dict[str, str] = {}
    for rank, names in sorted(strata.items()):
        total, before = sum(sizes[name] for name in names), 0
        begin = _fraction(f"{seed} stratum {rank}")
        for name in sorted(names, key=lambda each: _fraction(f"{seed} {each}")):
            chosen[name] = _split_at(((before + sizes[name] / 2) / total + begin) % 1, shares)
            before += sizes[name]
    return _none_empty(chosen, shares, set(published.values()), seed)


def _first_outcomes(members: Sequence[Member], groups: Sequence[str]) -> dict[str, int]:
    """Return the position of the outcome of highest priority in each group."""
    first: dict[str, int] = {}
    for member, group in zip(members, groups, strict=True):
        known = member.outcome in OUTCOME_NAMES
        rank = OUTCOME_NAMES.index(member.outcome) if known else len(OUTCOME_NAMES)
        first[group] = min(rank, first.get(group, rank))
    return first


def _fraction(text: str) -> float:
    """Return a number in [0, 1) that is the same for the same text everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _split_at(place: float, shares: Mapping[str, float]) -> str:
    """Return the split at a place in [0, 1) of all shares in a row."""
    left = place * sum(shares.values())
    for split in SPLITS:
        left -= shares[split]
        if left < 0:
            return split
    return max(SPLITS, key=lambda split: shares[split])


def _none_empty(chosen: dict[str, str], shares: Mapping[str, float], published: set[str], seed: int) -> dict[str, str]:
    """Give a group to a split that should have some and has none, as long as there are two where it is taken from.

    It is taken from the training groups; where these have no share, from those to validate on or to test on.
    """
    for split in (VALIDATION, TEST):
        giver = TRAIN if shares[TRAIN] else ({VALIDATION, TEST} - {split}).pop()
        there = [group for group, at in chosen.items() if at == giver]
        if shares[split] and split not in published and split not in chosen.values() and len(there) > 1:
            chosen[max(there, key=lambda each: _fraction(f"{seed} {each}"))] = split
    return chosen
