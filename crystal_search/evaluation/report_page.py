"""The page of a report: one HTML file that needs no other, but for tables that it names; the same as Markdown."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from crystal_search.evaluation.page_parts import Folded, Part, Section
from crystal_search.evaluation.tables import Table, markdown_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line at the end of a page, about a model."""

    text: str
    command: str = ""  #: that trained it
    after: str = ""  #: what is said after the command


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a page tells."""

    title: str
    about: str  #: of what it is
    said: Sequence[str] = ()  #: what people should know first
    warnings: Sequence[str] = ()  #: what makes figures less true
    sections: Sequence[Section] = ()
    files: Sequence[str] = ()  #: names of those that lie beside it
    command: str = ""  #: that made it
    notes: Sequence[Note] = ()


def report_page(report: Report) -> str:
    """Return a report as HTML."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = _base64
    environment.filters["kind"] = lambda part: type(part).__name__
    source = files("crystal_search.evaluation") / "page.html"
    template = environment.from_string(source.read_text(encoding="utf-8"))
    return template.render({name: getattr(report, name) for name in Report.__dataclass_fields__})


def _base64(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def report_markdown(about: str, sections: Sequence[Section]) -> str:
    """Return the tables of a report as Markdown, to paste into another one."""
    parts = [f"{about}\n"]
    for section in sections:
        if tables := list(_tables(section.parts)):
            parts.append("\n".join([f"## {section.heading}\n", *tables]))
    return "\n".join(parts)


def _tables(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Table):
            yield markdown_of(part)
        elif isinstance(part, Folded):
            yield from (f"{part.title}:\n\n{table}" for table in _tables(part.parts))
