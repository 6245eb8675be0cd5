"""What is known of plates and wells, in this process's memory."""

from collections.abc import Collection, Iterable

from crystal_search.server.imaging.fact_rules import (
    KeptCondition,
    KeptFacts,
    last_of,
    merged,
    noted,
    shown,
    verdict,
)
from crystal_search.server.imaging.plate_facts import Condition, Noted, PlateFacts, Source


class MemoryFacts:
    """A `PlateFactsStore` that is forgotten with the process."""

    def __init__(self) -> None:
        self._facts: dict[str, KeptFacts] = {}
        self._wells: dict[tuple[str, int, int, int], KeptCondition] = {}

    def note_plates(self, facts: Iterable[PlateFacts], *, source: Source) -> Noted:
        """Note whose plates are."""
        verdicts = []
        for each in facts:
            what, kept = merged(self._facts.get(each.plate), each, source)
            if what in ("new", "changed"):
                self._facts[each.plate] = kept
            verdicts.append(what)
        return noted(verdicts)

    def note_conditions(self, conditions: Iterable[Condition], *, source: Source) -> Noted:
        """Note what is in wells."""
        verdicts = []
        for place, told in last_of(conditions).items():
            known = self._wells.get(place)
            by = known.source if known else None
            what = verdict(_content(known.condition) if known else None, by, _content(told), source)
            if what in ("new", "changed"):
                self._wells[place] = KeptCondition(condition=told, source=source)
            verdicts.append(what)
        return noted(verdicts)

    def plate_facts(self, plates: Collection[str]) -> dict[str, PlateFacts]:
        """Return by barcode what is known of those of these plates of which something was noted."""
        return {plate: self._facts[plate].facts for plate in plates if plate in self._facts}

    def plates_of(self, projects: Collection[str]) -> set[str]:
        """Return the barcodes of the plates of these projects."""
        return {plate for plate, kept in self._facts.items() if kept.facts.project in projects}

    def conditions(self, plate: str) -> list[Condition]:
        """Return what is in the wells of a plate, by row, column, drop."""
        return shown(kept for place, kept in self._wells.items() if place[0] == plate)


def _content(condition: Condition) -> object:
    return (condition.name, condition.ingredients) if condition.text else None
