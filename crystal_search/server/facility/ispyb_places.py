"""Where on a plate a drop of ISPyB is: samples count drops along wells, and wells along rows, from 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crystal_search.wells import PLATE_FORMATS

MOST_COLUMNS = max(columns for _, columns in PLATE_FORMATS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateLayout:
    """How a type of plate is divided."""

    name: str  #: as ISPyB calls it
    columns: int  #: wells in a row
    drops: int  #: drops in a well, the reservoir not among them

    def place(self, location: int) -> tuple[int, int, int]:
        """Return row and column from 0, and drop from 1, of the drop at a location from 1.

        >>> PlateLayout(name="SWISSCI 3 Drop", columns=12, drops=3).place(40)
        (1, 1, 1)
        """
        well, drop = divmod(location - 1, self.drops)
        return *divmod(well, self.columns), drop + 1

    def location(self, row: int, column: int, drop: int) -> int:
        """Return the location of a drop.

        >>> PlateLayout(name="SWISSCI 3 Drop", columns=12, drops=3).location(1, 1, 1)
        40
        """
        return (row * self.columns + column) * self.drops + drop


def layout_of(row: Any) -> PlateLayout | None:
    """Return how a row of ContainerType says that plates are divided; None where it does not say so.

    Places for drops are counted with that of the reservoir in some types and without it in others: the capacity tells
    which, since plates have 48, 96, 384 or 1536 wells.
    """
    if not row.wellperrow or not row.dropperwellx or not row.dropperwelly or row.wellperrow > MOST_COLUMNS:
        return None
    places = row.dropperwellx * row.dropperwelly
    has_reservoir = row.welldrop is not None and row.welldrop >= 0 and places > 1
    choices = [places - 1, places] if has_reservoir else [places]
    fitting = [each for each in choices if row.capacity and row.capacity / each in PLATE_FORMATS]
    return PlateLayout(name=row.name or "", columns=row.wellperrow, drops=(fitting or choices)[0])


@dataclass(frozen=True, slots=True)
class PlateTypes:
    """The types of plates of a site."""

    by_id: Mapping[int, PlateLayout]
    by_name: Mapping[str, PlateLayout]

    def of(self, type_id: int | None, name: str | None) -> PlateLayout | None:
        """Return the type of a plate, by its number, or else by its name."""
        return self.by_id.get(type_id or 0) or self.by_name.get((name or "").casefold())


def plate_types(rows: Any) -> PlateTypes:
    """Return the types of plates in the rows of ContainerType."""
    found = [(row.containertypeid, layout) for row in rows if (layout := layout_of(row))]
    return PlateTypes(dict(found), {layout.name.casefold(): layout for _, layout in found})
