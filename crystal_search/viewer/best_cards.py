"""The best drops of all plates as cards: one for each drop, however many inspections show it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crystal_search.outcomes import GROUPS, Group
from crystal_search.server.imaging.best_drops import BestImage, BestQuery
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from crystal_search.server.services.shown_scores import ShownScores

LEAST = 0.2  #: probability of crystals from which a drop is worth a card
IMAGES = 60  #: of which cards are made at a time; the plate that reaches it is shown whole
_CRYSTAL = GROUPS.index(Group.CRYSTAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A drop at the inspection at which it is likeliest to hold crystals."""

    drop: DropScores
    p_crystal: float  #: by the score that is shown, in [0, 1]
    seen: bool  #: whether the person has looked at its plate since it had news, or has scored the drop


@dataclass(frozen=True, slots=True, kw_only=True)
class BestCards:
    """The best drops of some plates, each once; of a plate all, so that whoever saw them has seen the plate."""

    cards: Sequence[Card]  #: of plates that the person has not seen first, the likeliest first
    plates: Sequence[str]  #: those that are new to the person
    is_more: bool  #: whether other plates are new as well


def best_cards(imaging: ImagingDatabase, query: BestQuery, shown: ShownScores) -> BestCards:
    """Return the best drops of the first plates."""
    query = replace(query, readouts=shown.hashes, least=LEAST, limit=IMAGES)
    found = imaging.best_images(query)
    drops = imaging.newest_scores([each.image_id for each in found], readouts=shown.hashes)
    told = [(each, shown.of(drops[each.image_id])) for each in found if each.image_id in drops]
    cards = [card for best, drop in told if (card := _card(best, drop, query.person))]
    plates = sorted({drop.image.key.plate for best, drop in told if not best.seen})
    next_ones = replace(query, after=query.after + len(plates), limit=1)
    is_more = len(found) >= IMAGES and any(not each.seen for each in imaging.best_images(next_ones))
    cards = _one_a_drop(sorted(cards, key=lambda card: (card.seen, -card.p_crystal)))
    return BestCards(cards=cards, plates=plates, is_more=is_more)


def _card(best: BestImage, drop: DropScores, person: str) -> Card | None:
    if drop.current is None or not drop.current.found.group_peaks:
        return None
    p_crystal = drop.current.found.group_peaks[_CRYSTAL]
    scored = bool(person) and any(score.person == person for score in drop.people)
    return Card(drop=drop, p_crystal=p_crystal, seen=best.seen or scored) if p_crystal >= LEAST else None


def _one_a_drop(cards: Iterable[Card]) -> list[Card]:
    """Return the first card of each drop."""
    first: dict[tuple[str, int, int, int], Card] = {}
    for card in cards:
        key = card.drop.image.key
        first.setdefault((key.plate, key.row, key.column, key.drop), card)
    return list(first.values())


def plates_of(cards: Sequence[Card]) -> list[str]:
    """Return the plates that cards are of, each once."""
    return sorted({card.drop.image.key.plate for card in cards})
