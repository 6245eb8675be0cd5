"""Tables and columns of a facility's database, by the names that a site gives them.

Sites differ, so every name may be set. A name is checked and always quoted, so none of them can become a statement.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import TypeEngine

from crystal_search.errors import ConfigError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]{0,127}")  #: what a table, a column or a sequence may be called
NONE = "none"  #: said in place of a name: the site has no such table or column

#: Of each table, by its usual name, the usual names of its columns and their types.
Wanted = Mapping[str, Mapping[str, TypeEngine[Any]]]


def identifier(name: str, what: str) -> quoted_name:
    """Return a name that is written between quotation marks in every statement.

    Raises
    ------
    ConfigError
        If no database object may be called so.

    >>> str(identifier("I_SCORES", "a table"))
    'I_SCORES'
    """
    if not IDENTIFIER.fullmatch(name):
        raise ConfigError(f"{what} is called {name!r}; a name has letters, digits and _ $ #, and begins with a letter")
    return quoted_name(name, quote=True)


def site_tables(wanted: Wanted, names: Mapping[str, str], *, owner: str, may_lack: Collection[str]) -> dict[str, Table]:
    """Return by their usual names the tables that a site has, with the columns that it has.

    Parameters
    ----------
    names
        What the site calls otherwise: ``I_SCORES`` a table, ``I_SCORES.SCOREDBY`` a column; ``none`` where it has none.
    owner
        The schema in which they are; empty for the account's own.
    may_lack
        Tables and columns that a site need not have; a column has the key of its usual name in small letters.

    Raises
    ------
    ConfigError
        If it names what nobody asks for, lacks what must be there, or a name is none.
    """
    known = {each for table, columns in wanted.items() for each in (table, *(f"{table}.{name}" for name in columns))}
    if unknown := sorted(names.keys() - known):
        raise ConfigError(f"names: nothing is called {', '.join(unknown)}; choose from {', '.join(sorted(known))}")
    if lost := sorted(name for name, site in names.items() if site == NONE and name not in may_lack):
        raise ConfigError(f"names: {', '.join(lost)} cannot be {NONE!r}, for nothing works without")
    metadata = MetaData(schema=identifier(owner, "the tables' owner") if owner else None)
    return {
        table: _table(metadata, table, columns, names) for table, columns in wanted.items() if names.get(table) != NONE
    }


def _table(metadata: MetaData, usual: str, columns: Mapping[str, TypeEngine[Any]], names: Mapping[str, str]) -> Table:
    found = {column: names.get(f"{usual}.{column}", column) for column in columns}
    return Table(
        identifier(names.get(usual, usual), f"table {usual}"),
        metadata,
        *(
            Column(identifier(site, f"column {usual}.{column}"), columns[column], key=column.lower())
            for column, site in found.items()
            if site != NONE
        ),
    )
