"""Screens as Formulatrix' programs write them (RMXML): the conditions of a plate, well after well."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from crystal_search.errors import UserError
from crystal_search.server.imaging.plate_facts import Ingredient
from crystal_search.server.importing.fact_tables import Trouble, number_of

MAX_BYTES = 50_000_000
LINE = "line"  #: the attribute of an element that says where it stands; its own attributes are not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A bottle that the screen is made from."""

    name: str  #: of the ingredient
    unit: str
    ph: str  #: as it is written; empty where nothing is


class _Numbered(ET.TreeBuilder):
    """Builds elements with plain names in small letters, which know their lines."""

    parser: Any = None  #: expat's, which knows the line

    def start(self, tag: Any, _: Any) -> Any:
        return super().start(_plain(tag), {LINE: str(self.parser.CurrentLineNumber)})

    def end(self, tag: Any) -> Any:
        return super().end(_plain(tag))


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2].casefold()


def conditions_in(path: Path) -> list[tuple[Ingredient, ...]]:
    """Return what is in each condition of a screen, in the order of the file.

    Raises
    ------
    UserError
        If it cannot be read, is no such file, or contradicts itself; every line that does is named.
    """
    screen = _parsed(path)
    trouble = Trouble(path)
    stocks = dict(_stocks(screen, trouble))
    conditions = [
        tuple(_ingredient(each, stocks, trouble) for each in condition.iter("conditioningredient"))
        for conditions in screen.iter("conditions")
        for condition in conditions.iter("condition")
    ]
    trouble.end()
    if not conditions:
        raise UserError(f"{path} has no <condition>: name a screen that Rock Maker exported as XML, or a CSV file")
    return conditions


def _parsed(path: Path) -> ET.Element:
    """Return the root of an XML file without a document type, since one can make it grow without bounds."""
    target = _Numbered()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    target.parser = parser.parser
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UserError(f"{path} has {size} bytes; a screen has at most {MAX_BYTES}")
        parser.feed(path.read_bytes())
        root: ET.Element = parser.close()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a file that is there") from error
    except DefusedXmlException as error:
        raise UserError(f"{path} has a document type or entities, as no screen has; it is not read") from error
    except (ET.ParseError, LookupError, ValueError) as error:  # ValueError: of an encoding that expat does not know
        raise UserError(f"{path} is no XML: {error}; export it again") from error
    if root.tag != "screen":
        raise UserError(f"{path} is no screen: it begins with <{root.tag}>, not <screen>")
    return root


def _stocks(screen: ET.Element, trouble: Trouble) -> Iterator[tuple[str, Stock]]:
    for ingredient in screen.iter("ingredient"):
        name = _text(ingredient, "name") or _text(ingredient, "shortname")
        for stock in ingredient.iter("stock"):
            if not name:
                trouble.at(_line(ingredient), "an ingredient has stocks but no <name>")
            yield _text(stock, "localid"), Stock(name=name, unit=_text(stock, "units"), ph=_text(stock, "ph"))


def _ingredient(part: ET.Element, stocks: dict[str, Stock], trouble: Trouble) -> Ingredient:
    stock = stocks.get(number := _text(part, "stocklocalid"))
    if stock is None:
        trouble.at(_line(part), f"there is no <stock> whose localID is {number!r}")
        return Ingredient(name="")
    role = _text(part, "type").casefold()
    ph = _text(part, "ph") or (stock.ph if role == "buffer" else "")
    with trouble.told(_line(part)):
        concentration = number_of(_text(part, "concentration"), "concentration")
        told = {"concentration": concentration, "ph": number_of(ph, "ph")}
        return Ingredient(name=stock.name, unit=stock.unit if concentration is not None else "", role=role, **told)
    return Ingredient(name=stock.name)


def _text(element: ET.Element, name: str) -> str:
    return " ".join((element.findtext(name) or "").split())


def _line(element: ET.Element) -> int:
    return int(element.get(LINE, "0"))
