"""What is known of plates and wells besides their images: whose they are, what is in them, who says so."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from crystal_search.wells import well_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says something of a plate or a well."""

    name: str  #: ``ispyb``, ``owners.csv``, ``Zoë``
    by_hand: bool = False  #: a person said it, or a file that a person imported; no facility's database replaces it


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateFacts:
    """Whose a plate is, and what it is for; empty where nobody says so."""

    plate: str  #: barcode
    project: str = ""  #: project or proposal
    protein: str = ""
    owner: str = ""  #: the person whose plate it is
    people: tuple[str, ...] = ()  #: others who have to do with it
    plate_type: str = ""  #: as the maker calls it: ``SWISSCI 3 Drop``
    source: str = field(default="", compare=False)  #: who says so; filled by the database, not read by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """One part of a condition."""

    name: str  #: what it is called; where nobody divided it, all that was written
    concentration: float | None = None
    unit: str = ""  #: of the concentration: ``M``, ``% w/v``
    ph: float | None = None
    role: str = ""  #: ``buffer``, ``salt``, ``precipitant``, ``additive`` or as it was written

    @property
    def text(self) -> str:
        """The ingredient as people write it.

        >>> Ingredient(name="HEPES", concentration=0.1, unit="M", ph=7.5).text
        '0.1 M HEPES pH 7.5'
        """
        amount = "" if self.concentration is None else f"{self.concentration:.6g}"
        ph = "" if self.ph is None else f"pH {self.ph:.6g}"
        return " ".join(part for part in (amount, self.unit, self.name, ph) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The cocktail in a well, or in one drop of it."""

    plate: str  #: barcode
    row: int  #: from 0; 0 is A
    column: int  #: from 0; 0 is 1
    drop: int = 0  #: sub-well, from 1; 0: the whole well
    name: str = ""  #: what the screen calls it: ``JCSG+ C7``
    ingredients: tuple[Ingredient, ...] = ()
    source: str = field(default="", compare=False)  #: who says so; filled by the database, not read by it

    @property
    def text(self) -> str:
        """All that is in it, as people write it; its name where nobody says what is in it."""
        return ", ".join(each.text for each in self.ingredients) or self.name

    @property
    def well(self) -> str:
        """The well's name, for example ``C07``."""
        return well_name(self.row, self.column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What `note_plates` or `note_conditions` did, in plates or wells."""

    new: int = 0
    changed: int = 0
    same: int = 0  #: known already
    held: int = 0  #: what a person says of them stays, though this source says otherwise


class PlateFactsStore(Protocol):
    """What is known of plates and wells besides their images."""

    def note_plates(self, facts: Iterable[PlateFacts], *, source: Source) -> Noted:
        """Note whose plates are, in one transaction; plates need no images yet.

        What is said last counts, but no facility's database replaces what a person said by hand. An empty field
        changes nothing, unless the same facility's database filled it before: then it is empty again.
        """

    def note_conditions(self, conditions: Iterable[Condition], *, source: Source) -> Noted:
        """Note what is in wells, in one transaction, by the same rule, well by well; plates need no images yet.

        A condition without name and ingredients is an empty one.
        """

    def plate_facts(self, plates: Collection[str]) -> dict[str, PlateFacts]:
        """Return by barcode what is known of those of these plates of which something was noted."""

    def plates_of(self, projects: Collection[str]) -> set[str]:
        """Return the barcodes of the plates of these projects."""

    def conditions(self, plate: str) -> list[Condition]:
        """Return what is in the wells of a plate, by row, column, drop; wells of which nobody says so are left out.

        What a person says of the whole well hides what others say of its drops.
        """
