"""What is known of plates and wells besides their images, in SQL."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import fact_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.fact_rules import (
    FACTS,
    KeptCondition,
    KeptFacts,
    Verdict,
    last_of,
    merged,
    noted,
    said_by,
    shown,
    verdict,
    words_of,
)
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, Noted, PlateFacts, Source
from crystal_search.server.imaging.sql_rows import AnyRow, Values, digest_of, time_text
from crystal_search.server.imaging.sql_transactions import (
    BATCH,
    SqlTransactions,
    insert,
    plate_ids_of,
    rows_of,
    update_rows,
)

NOTHING = ""  #: the digest of an empty condition
_PARTS = tuple(field.name for field in fields(Ingredient))
Well = tuple[int, int, int, int]  #: plate's id, row, column, drop


class SqlPlateFacts(SqlTransactions):
    """`PlateFactsStore` in SQL."""

    def note_plates(self, facts: Iterable[PlateFacts], *, source: Source) -> Noted:
        """Note whose plates are, in one transaction; plates need no images yet."""
        told = list(facts)
        return self._write("note whose plates are", lambda connection: _note_plates(connection, told, source))

    def note_conditions(self, conditions: Iterable[Condition], *, source: Source) -> Noted:
        """Note what is in wells, in one transaction; plates need no images yet."""
        told = last_of(conditions)

        def work(connection: Connection) -> Noted:
            return noted([each for part in batches(told.values(), BATCH) for each in _note(connection, part, source)])

        return self._write("note what is in wells", work)

    def plate_facts(self, plates: Collection[str]) -> dict[str, PlateFacts]:
        """Return by barcode what is known of those of these plates of which something was noted."""
        kept = self._read("read whose plates are", lambda connection: _kept_facts(connection, plates))
        return {plate: each.facts for plate, each in kept.items()}

    def plates_of(self, projects: Collection[str]) -> set[str]:
        """Return the barcodes of the plates of these projects."""

        def work(connection: Connection) -> set[str]:
            return {row.barcode for row in rows_of(connection, projects, statements.plates_of)}

        return self._read("look for plates of projects", work)

    def conditions(self, plate: str) -> list[Condition]:
        """Return what is in the wells of a plate, by row, column, drop."""
        rows = self._read("read what is in wells", lambda c: c.execute(statements.conditions_of(plate)).all())
        return shown(_kept_condition(row, plate) for row in rows)


def _note_plates(connection: Connection, told: Iterable[PlateFacts], source: Source) -> Noted:
    now = time_text(datetime.now(UTC))
    verdicts: list[Verdict] = []
    for batch in batches(told, BATCH):
        ids = plate_ids_of(connection, sorted({each.plate for each in batch}))
        there = _kept_facts(connection, list(ids))
        after, new, changed = dict(there), dict[str, None](), dict[str, None]()
        for each in batch:
            what, kept = merged(after.get(each.plate), each, source)
            if what in ("new", "changed"):
                (changed if each.plate in there else new)[each.plate] = None
                after[each.plate] = kept
            verdicts.append(what)
        insert(
            connection, schema.plate_fact, [_facts_values(after[each], now) | {"plate_id": ids[each]} for each in new]
        )
        rows = [_facts_values(after[each], now) | {"of_plate": ids[each]} for each in changed]
        update_rows(connection, statements.noting_facts(), rows)
    return noted(verdicts)


def _kept_facts(connection: Connection, plates: Collection[str]) -> dict[str, KeptFacts]:
    return {row.barcode: _facts_of(row) for row in rows_of(connection, plates, statements.facts_of)}


def _facts_of(row: AnyRow) -> KeptFacts:
    told = {name: getattr(row, name) for name in FACTS} | {"people": tuple(row.people.splitlines())}
    sources = {name: Source(name=who, by_hand=by_hand) for name, (who, by_hand) in json.loads(row.sources).items()}
    return KeptFacts(facts=PlateFacts(plate=row.barcode, **told, source=said_by(sources)), sources=sources)


def _facts_values(kept: KeptFacts, now: str) -> Values:
    facts = kept.facts
    return {name: getattr(facts, name) for name in FACTS} | {
        "people": "\n".join(facts.people),
        "words": words_of(facts.project, facts.protein, facts.owner, *facts.people, facts.plate_type),
        "sources": json.dumps({name: [each.name, each.by_hand] for name, each in kept.sources.items()}),
        "noted_at": now,
    }


def _note(connection: Connection, told: list[Condition], source: Source) -> list[Verdict]:
    """Note what is in wells that are all different."""
    ids = plate_ids_of(connection, sorted({each.plate for each in told}))
    there = {_well_of(row): row for row in rows_of(connection, list(ids.values()), statements.wells_of)}
    wells = {(ids[each.plate], each.row, each.column, each.drop): each for each in told}
    digests = {well: _digest(each) for well, each in wells.items()}
    verdicts = {well: _verdict(there.get(well), digest, source) for well, digest in digests.items()}
    taken = {well: each for well, each in wells.items() if verdicts[well] in ("new", "changed")}
    cocktails = _cocktail_ids(connection, {digests[well]: each for well, each in taken.items()})
    said = {"source": source.name, "by_hand": source.by_hand, "noted_at": time_text(datetime.now(UTC))}
    rows = {well: said | {"cocktail_id": cocktails[digests[well]]} for well in taken}
    new = [_named(well) | row for well, row in rows.items() if well not in there]
    insert(connection, schema.well_condition, new)
    changed = [_named(well, "of_") | row for well, row in rows.items() if well in there]
    update_rows(connection, statements.noting_condition(), changed)
    return list(verdicts.values())


def _well_of(row: AnyRow) -> Well:
    return row.plate_id, row.well_row, row.well_column, row.drop_number


def _named(well: Well, prefix: str = "") -> Values:
    return dict(zip((f"{prefix}{name}" for name in statements.WELL), well, strict=True))


def _verdict(row: AnyRow | None, digest: str, source: Source) -> Verdict:
    by = Source(name=row.source, by_hand=row.by_hand) if row else None
    return verdict(row.digest if row else NOTHING, by, digest, source)


def _digest(condition: Condition) -> str:
    """Return what two conditions share when the same is in them; `NOTHING` for an empty one."""
    return digest_of(json.dumps([condition.name, _told(condition.ingredients)])) if condition.text else NOTHING


def _told(ingredients: Iterable[Ingredient]) -> list[Mapping[str, object]]:
    told = ({name: getattr(each, name) for name in _PARTS} for each in ingredients)
    return [{name: value for name, value in each.items() if value not in ("", None)} for each in told]


def _cocktail_ids(connection: Connection, wanted: Mapping[str, Condition]) -> dict[str, int]:
    """Return by digest the ids of cocktails, recorded now where they are new."""

    def known() -> dict[str, int]:
        return {row.digest: row.id for row in rows_of(connection, list(wanted), statements.cocktails_like)}

    there = known()
    new = [_cocktail_values(digest, each) for digest, each in wanted.items() if digest not in there]
    insert(connection, schema.cocktail, new)
    return known() if new else there


def _cocktail_values(digest: str, condition: Condition) -> Values:
    return {
        "digest": digest,
        "name": condition.name,
        "ingredients": json.dumps(_told(condition.ingredients), ensure_ascii=False),
        "words": words_of(condition.name, condition.text),
    }


def _kept_condition(row: AnyRow, plate: str) -> KeptCondition:
    ingredients = tuple(Ingredient(**each) for each in json.loads(row.ingredients))
    place = {"row": row.well_row, "column": row.well_column, "drop": row.drop_number}
    condition = Condition(plate=plate, **place, name=row.name, ingredients=ingredients)
    return KeptCondition(condition=condition, source=Source(name=row.source, by_hand=row.by_hand))
