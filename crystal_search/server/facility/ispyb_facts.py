"""Whose ISPyB's plates are, and what is in their wells."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.ispyb_places import PlateLayout
from crystal_search.server.facility.ispyb_schema import PEOPLE, SCREENS, IspybTables
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts

Plates = Mapping[int, str]  #: id of a container -> barcode
Layouts = Mapping[int, PlateLayout | None]  #: id of a container -> its type


def facts_of(connection: Connection, tables: IspybTables, plates: Plates, layouts: Layouts) -> Iterator[PlateFacts]:
    """Yield whose these plates are: the session's proposal, or the proteins', who are on it, who owns the plate."""
    if not plates:
        return
    proteins: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(statements.proteins(tables, list(plates))):
        proteins[row.container].append(row)
    rows = connection.execute(statements.proposals(tables, list(plates))).all()
    of = {row.container: row if row.proposal else next(iter(proteins[row.container]), row) for row in rows}
    people, names = _people(connection, tables, {each.proposal for each in of.values()}, {row.owner for row in rows})
    for row in rows:
        layout, proposal = layouts[row.container], of[row.container]
        acronyms = [each.acronym or each.name for each in proteins[row.container]]
        owner = names.get(row.owner, "")
        yield PlateFacts(
            plate=plates[row.container],
            project=f"{proposal.proposal_code or ''}{proposal.number or ''}",
            protein=", ".join(dict.fromkeys(filter(None, acronyms))),
            owner=owner,
            people=tuple(each for each in people.get(proposal.proposal, ()) if each != owner),
            plate_type=layout.name if layout else "",
        )


def _people(
    connection: Connection, tables: IspybTables, proposals: set[int | None], owners: set[int | None]
) -> tuple[dict[int, list[str]], dict[int, str]]:
    """Return who is on proposals, and what people are called; nothing where people may not be read."""
    if not tables.readable(*PEOPLE):
        return {}, {}
    on: dict[int, list[int]] = defaultdict(list)
    for row in connection.execute(statements.people_of_proposals(tables, sorted(filter(None, proposals)))):
        on[row.proposal].append(row.person)
    wanted = {*filter(None, owners), *(person for persons in on.values() for person in persons)}
    found = connection.execute(statements.persons(tables, sorted(wanted)))
    names = {row.person: row.login or f"{row.givenname or ''} {row.familyname or ''}".strip() for row in found}
    return {
        number: [names[each] for each in sorted(persons) if names.get(each)] for number, persons in on.items()
    }, names


def conditions_of(connection: Connection, tables: IspybTables, plates: Plates, layouts: Layouts) -> Iterator[Condition]:
    """Yield what is in the wells of these plates, as their screens say."""
    if not plates or not tables.readable(*SCREENS):
        return
    rows = connection.execute(statements.screens(tables, list(plates)))
    for (container, position), parts in groupby(rows, key=lambda row: (row.container, row.position)):
        layout, told = layouts[container], list(parts)
        if layout and position >= 1:
            well_row, column = divmod(position - 1, layout.columns)
            yield Condition(
                plate=plates[container],
                row=well_row,
                column=column,
                name=f"{told[0].screen or ''} {position}".strip(),
                ingredients=tuple(_ingredient(row) for row in told if row.name or row.acronym),
            )


def _ingredient(row: Any) -> Ingredient:
    return Ingredient(name=row.name or row.acronym, concentration=row.concentration, ph=row.ph)
