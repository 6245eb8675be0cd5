"""Whose a plate is and what is in its wells, as pages and tables tell it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crystal_search.columns import Cell
from crystal_search.server.imaging.fact_rules import FACTS
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts
from crystal_search.viewer.made_once import made_once
from crystal_search.wells import WellKey

FACT_COLUMNS = ("project", "protein", "owner")  #: of a table of scores
KEPT = 2000  #: conditions, of the plates that are read
CONDITION_COLUMNS = ("condition_name", "condition")


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPlate:
    """Whose a plate is and what is in its wells."""

    facts: PlateFacts
    conditions: Mapping[tuple[int, int, int], Condition]  #: by row, column and drop, which is 0 for the whole well

    def condition(self, key: WellKey) -> Condition | None:
        """Return what is in a drop: its own condition, or else its well's."""
        return self.conditions.get(key.place) or self.conditions.get((key.row, key.column, 0))


def about(imaging: ImagingDatabase, plate: str) -> AboutPlate:
    """Return whose a plate is and what is in its wells."""
    facts = imaging.plate_facts([plate]).get(plate, PlateFacts(plate=plate))
    conditions = {(each.row, each.column, each.drop): each for each in imaging.conditions(plate)}
    return AboutPlate(facts=facts, conditions=conditions)


def facts_record(facts: PlateFacts) -> dict[str, Any]:
    """Return whose a plate is; empty where nobody says so."""
    return {name: getattr(facts, name) for name in FACTS}


def condition_record(condition: Condition | None) -> dict[str, str]:
    """Return what is in a drop, in short."""
    return _told(condition) if condition else {}


@made_once(limit=KEPT)
def _told(condition: Condition) -> dict[str, str]:
    return {"condition": condition.text, "condition_name": condition.name}


def full_condition_record(condition: Condition | None) -> dict[str, Any]:
    """Return what is in a drop, ingredient by ingredient, and who says so."""
    if condition is None:
        return {}
    ingredients = [_ingredient_record(each) for each in condition.ingredients]
    return condition_record(condition) | {"ingredients": ingredients, "condition_source": condition.source}


def _ingredient_record(ingredient: Ingredient) -> dict[str, Any]:
    told = asdict(ingredient)
    names = {"name": "ingredient", "unit": "concentration_unit"}
    return {names.get(name, name): value for name, value in told.items()} | {"text": ingredient.text}


def about_cells(plate: AboutPlate, key: WellKey) -> dict[str, Cell]:
    """Return the columns that tell whose a drop is and what is in it."""
    cells: dict[str, Cell] = {name: getattr(plate.facts, name) for name in FACT_COLUMNS}
    return cells | condition_record(plate.condition(key))
