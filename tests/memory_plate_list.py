"""The lists of plates and of inspections, in this process's memory: made anew of everything, each time."""

from collections.abc import Collection
from datetime import UTC, datetime

from crystal_search.server.imaging.count_rules import tallied
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.inspection_list import InspectionQuery, ListedInspection
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.server.imaging.plate_list import TEXT_SORTS, BestDrop, Neighbours, PlateLine, PlatePage, PlateQuery
from tests.memory_best_drops import LONG_AGO, likeliest, p_crystal


def listed(database: ImagingDatabase, query: PlateQuery) -> PlatePage:
    """Return one page of the plates of a database, as `PlateList.list_plates` has to."""
    everything, in_order = _in_order(database, query)
    start = (query.page - 1) * query.per_page
    shown = tuple(in_order[start : start + query.per_page])
    return PlatePage(plates=shown, found=len(in_order), all=len(everything))


def beside(database: ImagingDatabase, plate: str, query: PlateQuery) -> Neighbours:
    """Return which plates stand beside one, as `PlateList.neighbours` has to."""
    names: list[str | None] = [None, *(line.plate for line in _in_order(database, query)[1]), None]
    return (
        Neighbours(previous=names[names.index(plate) - 1], next=names[names.index(plate) + 1])
        if plate in names
        else Neighbours()
    )


def _in_order(database: ImagingDatabase, query: PlateQuery) -> tuple[list[PlateLine], list[PlateLine]]:
    """Return every plate, and those that are asked for in their order."""
    query.checked()
    lines = [_line(database, each.plate) for each in database.plates()]
    everything = [each for each in lines if query.projects is None or each.project in query.projects]
    words = query.search.casefold().split()
    found = [
        each for each in everything if all(any(word in text for text in _texts(database, each.plate)) for word in words)
    ]
    by_barcode = sorted(found, key=lambda line: line.plate)
    is_text = query.sort in TEXT_SORTS
    reverse = is_text == query.turned
    return everything, sorted(by_barcode, key=lambda line: _value(line, query.sort), reverse=reverse)


def inspections_listed(database: ImagingDatabase, query: InspectionQuery) -> list[ListedInspection]:
    """Return inspections of a database, as `InspectionList.list_inspections` has to."""
    newest: dict[tuple[str, int], datetime] = {}
    for plate in database.plates():
        for image in database.plate_images(plate.plate):
            place = (plate.plate, image.key.inspection)
            if image.key.channel == query.channel and image.arrived_at:
                newest[place] = max(newest.get(place, image.arrived_at), image.arrived_at)
    found = [
        ListedInspection(plate=plate, number=number, channel=query.channel)
        for (plate, number), at in sorted(newest.items())
        if query.plate in ("", plate)
        and (query.projects is None or _facts(database, plate).project in query.projects)
        and (query.since is None or at >= query.since)
        and (query.until is None or at < query.until)
        and (query.after is None or (plate, number) > query.after)
    ]
    return found[: query.limit]


def scored_until(database: ImagingDatabase, plates: Collection[str]) -> dict[str, int]:
    """Return how many images are scored until the last of each of these plates is, as `PlateList` has to."""
    order: list[tuple[datetime, str, int]] = []
    for each in (plate.plate for plate in database.plates()):
        images = [image for image in database.plate_images(each) if image.key.channel == "visible"]
        for number in {image.key.inspection for image in images}:
            newest = max(image.arrived_at or LONG_AGO for image in images if image.key.inspection == number)
            waiting = sum(drop.current is None for drop in database.drops(each, inspection=number))
            order.append((newest, each, waiting))
    until: dict[str, int] = {}
    ahead = 0
    for _, each, waiting in sorted(order, reverse=True):
        ahead += waiting
        if waiting:
            until[each] = ahead
    return {each: number for each, number in until.items() if each in plates}


def _value(line: PlateLine, sort: str) -> tuple[bool, object]:
    value = line.best and line.best.p_crystal if sort == "best" else getattr(line, sort)
    return value is not None, value.lower() if isinstance(value, str) else value


def _line(database: ImagingDatabase, plate: str) -> PlateLine:
    summary = next(each for each in database.plates() if each.plate == plate)
    facts = _facts(database, plate)
    images = database.plate_images(plate)
    visible = [each.key.inspection for each in images if each.key.channel == "visible"]
    counts = {number: _counts(database, plate, number) for number in visible}
    latest = counts[max(visible)] if visible else (0, 0, 0)
    return PlateLine(
        plate=plate,
        project=facts.project,
        protein=facts.protein,
        owner=facts.owner,
        inspections=summary.inspections,
        channels=summary.channels,
        images=summary.images,
        scored=summary.scored,
        last_scored_at=summary.last_scored_at,
        newest_at=max((each.arrived_at or datetime.min.replace(tzinfo=UTC) for each in images), default=None),
        crystals=latest[0],
        crystals_by_hand=max((each[1] for each in counts.values()), default=0),
        disagreements=latest[2],
        best=_best(database, plate, max(visible)) if visible else None,
    )


def _best(database: ImagingDatabase, plate: str, inspection: int) -> BestDrop | None:
    best = likeliest(database.drops(plate, inspection=inspection))
    if best is None or best.current is None:
        return None
    key = best.image.key
    return BestDrop(image_id=best.image.id, well=key.well, drop=key.drop, p_crystal=p_crystal(best.current))


def _counts(database: ImagingDatabase, plate: str, inspection: int) -> tuple[int, int, int]:
    answers = []
    for drop in database.drops(plate, inspection=inspection):
        score = drop.current.found.score if drop.current else None
        outcome = drop.current.outcome if drop.current else None
        answers.append(
            (outcome, bool(score and score.above_threshold), drop.manual.outcome if drop.manual else None, 1)
        )
    return tallied(answers)


def _facts(database: ImagingDatabase, plate: str) -> PlateFacts:
    return database.plate_facts([plate]).get(plate, PlateFacts(plate=plate))


def _texts(database: ImagingDatabase, plate: str) -> Collection[str]:
    facts = _facts(database, plate)
    told = (plate, facts.project, facts.protein, facts.owner, *facts.people, facts.plate_type)
    wells = [text for each in database.conditions(plate) for text in (each.name, each.text)]
    return [text.casefold() for text in (*told, *wells)]
