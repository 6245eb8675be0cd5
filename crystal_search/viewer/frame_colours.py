"""Frame colours as a facility wants them: ``frames.toml`` in the home folder, described in docs/viewer.md."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from crystal_search.errors import ConfigError
from crystal_search.outcomes import GROUPS, NO_DROP, OUTCOMES, UNREADABLE
from crystal_search.server.settings import check_known, read_toml

UNSCORED = "unscored"
ANSWERS = (*(outcome.name for outcome in OUTCOMES), NO_DROP, UNREADABLE, UNSCORED)
TABLES: Mapping[str, Collection[str]] = {"groups": tuple(group.value for group in GROUPS), "outcomes": ANSWERS}

Frames = Mapping[str, str]  #: an answer's name and its colour, ``#rrggbb``; one that is missing keeps its own


def read_frames(path: Path) -> Frames:
    """Return the frame colours in the file `path`; none when there is no such file.

    Raises
    ------
    ConfigError
        If the file is not TOML, names what is none of ours, or gives something else than a colour.
    """
    tables = read_toml(path, "table", TABLES)
    colours = {name: _colours(path, name, tables.get(name, {})) for name in TABLES}
    of_groups = {
        outcome.name: colours["groups"][outcome.group] for outcome in OUTCOMES if outcome.group in colours["groups"]
    }
    return of_groups | colours["outcomes"]


def _colours(path: Path, table: str, colours: Any) -> dict[str, str]:
    if not isinstance(colours, dict):
        raise ConfigError(f"{path}: {table} must be a table, [{table}], got {colours!r:.40}")
    check_known(path, f"name in [{table}]:", colours, TABLES[table])
    for name, colour in colours.items():
        if not isinstance(colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
            raise ConfigError(f'{path}: {name} must be a colour like "#2ca02c", got {colour!r:.40}')
    return {name: colour.lower() for name, colour in colours.items()}
