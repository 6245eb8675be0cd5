"""What the page of a report is made of: sections of text, tables, plots, pictures, links."""

from dataclasses import dataclass

from crystal_search.evaluation.tables import Table


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as SVG text."""

    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture with lines of text below, the first one in bold."""

    jpeg: bytes  #: empty where there is nothing to show
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """What is shown when somebody clicks on its title."""

    title: str
    parts: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Links:
    """Files beside the page."""

    names: tuple[str, ...]


Part = str | Table | Plot | Gallery | Folded | Links


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; of `Folded` parts and others."""

    heading: str
    parts: tuple[Part, ...]
