"""Images of which a person and the machine, or two models, say different things: worth a second look."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from crystal_search.group_rule import group_probabilities
from crystal_search.outcomes import BY_NAME, GROUPS, NO_DROP, UNREADABLE, UNSURE, Group
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase, ManualScore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.services.shown_scores import ShownScores

SHIPPED = ShownScores()
Against = Literal["person", "second"]
AGAINST: tuple[Against, ...] = get_args(Against)
NEWEST = 3000  #: images that are looked through for second opinions, the last that were packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One image, what the machine's score says of it, and what somebody else does."""

    drop: DropScores
    machine: str  #: group, or ``no_drop``
    other: str  #: what a person, or the second opinion, says instead
    sure: float  #: probability that the machine, or the less sure of two models, gave its answer, in [0, 1]


def disagreements(imaging: ImagingDatabase, against: Against, shown: ShownScores = SHIPPED) -> list[Disagreement]:
    """Return where the machine's score and another one name different groups, those first of which they are surest.

    A score below the threshold says that it is unsure, and contradicts nobody.

    Parameters
    ----------
    imaging
        Whose scores.
    against
        ``person``: the newest score by hand; ``second``: the second opinion, in the last `NEWEST` images.
    shown
        Tells which of the machine's scores is meant.

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    """
    if against == "person":
        images = [image for image, _ in imaging.newest_by_hand()]
    else:
        images = [image for image in imaging.images_read(limit=NEWEST) if image.key.channel == "visible"]
    ids = {image.id for image in images}
    found = [_told(drop, against) for drop in drops_of(imaging, images, shown) if drop.image.id in ids]
    told = [each for each in found if each is not None and each.machine != each.other]
    return sorted(told, key=lambda each: (-each.sure, each.drop.image.id))


def people_differ(imaging: ImagingDatabase) -> list[DropScores]:
    """Return the images of which people name different groups, those in which somebody saw crystals first, then by age.

    Raises
    ------
    DatabaseError
        If the database cannot be read.
    """
    images = imaging.scored_by_several()
    ids = {image.id for image in images}
    told = [(drop, {_person(score) for score in drop.people}) for drop in drops_of(imaging, images)]
    found = [(drop, groups) for drop, groups in told if drop.image.id in ids and len(groups) > 1]
    found.sort(key=lambda pair: (Group.CRYSTAL.value not in pair[1], -pair[0].image.id))
    return [drop for drop, _ in found]


def drops_of(
    imaging: ImagingDatabase, images: Iterable[StoredImage], shown: ShownScores = SHIPPED
) -> Iterator[DropScores]:
    """Yield the drops of every inspection in visible light that one of these images is of."""
    for plate, inspection in sorted({(image.key.plate, image.key.inspection) for image in images}):
        yield from map(shown.of, imaging.drops(plate, inspection=inspection, readouts=shown.hashes))


def _told(drop: DropScores, against: Against) -> Disagreement | None:
    """Return what both say of an image; None where one of them says nothing."""
    score = drop.current
    machine = _machine(score) if score else ""
    if not score or not machine:
        return None
    if against == "person":
        if not drop.manual:
            return None
        return Disagreement(drop=drop, machine=machine, other=_person(drop.manual), sure=_sure(score))
    if score.found.second_group is None or not score.found.score:
        return None
    sure = min(_sure(score), max(group_probabilities(score.found.second_opinion)))
    return Disagreement(drop=drop, machine=machine, other=str(score.found.second_group), sure=sure)


def _machine(score: AutoScore) -> str:
    """Return the group that a machine named, or ``no_drop``; nothing where it is unsure, or could not tell."""
    counted = score.found.counted_as
    return "" if counted in (UNSURE, UNREADABLE) else counted


def _person(score: ManualScore) -> str:
    return NO_DROP if score.outcome == NO_DROP else str(BY_NAME[score.outcome].group)


def _sure(score: AutoScore) -> float:
    """Return how probable the machine's answer was to it; of a drop that it did not find it says no probability."""
    return 1.0 if score.outcome == NO_DROP else score.found.group_peaks[GROUPS.index(BY_NAME[score.outcome].group)]
