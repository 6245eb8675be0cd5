"""An evaluation's files: page, tables, Markdown, JSON, written whole or not at all; and figures in cards."""

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from crystal_search.errors import UserError
from crystal_search.evaluation.judge import Contender, Figure, Folded, Part
from crystal_search.evaluation.judge_kinds import Evaluation
from crystal_search.evaluation.tables import Table, csv_of, markdown_of
from crystal_search.model import Model, default_model, default_models_folder, write_card
from crystal_search.model_card import ROLES, ClassifierCard, ModelCard
from crystal_search.whole_folders import whole_folder

log = logging.getLogger(__name__)

PAGE, MARKDOWN, JSON = "index.html", "tables.md", "evaluation.json"
EVALUATION_FORMAT, EVALUATION_VERSION = "crystal-search evaluation", 1
ONLY_AS_CSV = ("wells", "drop-wells")  #: too long for the JSON file
INTERVALS = (
    "Numbers in brackets are 95 % intervals: had other wells been photographed, the figure would most likely lie "
    "between them. They come from drawing whole wells again, 1000 times, since images and chops of one well resemble "
    "each other. Where all or none were right, the interval is a point; with few images that is no certainty. An empty"
    " cell (–) means that there was nothing to measure."
)


def check_free(folder: Path, *, replace: bool) -> None:
    """Refuse to write over what is there already.

    Raises
    ------
    UserError
        If `folder` is a file, holds something that is no evaluation, or an evaluation that may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / JSON).is_file():
        raise UserError(f"{folder} holds something that is no evaluation; name a new folder with --out")
    if not replace:
        raise UserError(f"{folder} holds an evaluation; name a new folder with --out, or say --replace")


def write_evaluation(evaluation: Evaluation, folder: Path, *, replace: bool = False) -> Path:
    """Write page, tables and JSON to `folder`, whole or not at all, and return the page's path.

    Raises
    ------
    UserError
        If `folder` holds something already that may not be replaced.
    """
    check_free(folder, replace=replace)
    with whole_folder(folder, replace=replace) as part:
        for name, table in evaluation.tables.items():
            (part / f"{name}.csv").write_text(csv_of(table), encoding="utf-8")
        for chapter in evaluation.chapters:
            for name, data in chapter.files.items():
                (part / name).write_bytes(data)
        (part / MARKDOWN).write_text(markdown_of_all(evaluation), encoding="utf-8")
        (part / PAGE).write_text(page_of(evaluation), encoding="utf-8")
        (part / JSON).write_text(evaluation_json(evaluation), encoding="utf-8")
    return folder / PAGE


def page_of(evaluation: Evaluation) -> str:
    """Return the page of an evaluation as HTML that needs no other file, but for the tables that it names."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = _base64
    environment.filters["kind"] = lambda part: type(part).__name__
    source = files("crystal_search.evaluation") / "page.html"
    tables = [f"{name}.csv" for name in evaluation.tables]
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        told=evaluation,
        title=f"Evaluation of {', '.join(each.name for each in evaluation.contenders)}",
        warnings=[*evaluation.warnings, *(each for chapter in evaluation.chapters for each in chapter.warnings)],
        intervals=INTERVALS,
        sections=[section for chapter in evaluation.chapters for section in chapter.sections],
        files=[*tables, *(name for chapter in evaluation.chapters for name in chapter.files), MARKDOWN, JSON],
    )


def _base64(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def markdown_of_all(evaluation: Evaluation) -> str:
    """Return the tables of the page as Markdown, to paste into a report."""
    parts = [f"{evaluation.truth.source} {INTERVALS}\n", f"## Figures\n\n{markdown_of(evaluation.figure_table)}"]
    for chapter in evaluation.chapters:
        for section in chapter.sections:
            if tables := list(_tables(section.parts)):
                parts.append("\n".join([f"## {section.heading}\n", *tables]))
    return "\n".join(parts)


def _tables(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Table):
            yield markdown_of(part)
        elif isinstance(part, Folded):
            yield from (f"{part.title}:\n\n{table}" for table in _tables(part.parts))


def evaluation_json(evaluation: Evaluation) -> str:
    """Return the text of ``evaluation.json``."""
    found = {
        "format": EVALUATION_FORMAT,
        "version": EVALUATION_VERSION,
        "command": evaluation.command,
        "data": evaluation.truth.name,
        "split": evaluation.truth.split,
        "thresholds": evaluation.options.thresholds,
        "networks": [_network(each) for each in evaluation.contenders],
        "tables": {name: table.records() for name, table in evaluation.tables.items() if name not in ONLY_AS_CSV},
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _network(contender: Contender) -> dict[str, object]:
    card = contender.model.card
    return {
        "name": contender.name,
        "role": card.role,
        "architecture": card.architecture,
        "classes": card.classes,
        "sha256": card.sha256,
        "trained_by": card.training_command,
        "temperature": card.temperature if isinstance(card, ClassifierCard) else None,
    }


def check_cards(contenders: Sequence[Contender]) -> None:
    """Refuse trainings, which have no cards yet.

    Raises
    ------
    UserError
        That names one.
    """
    for each in contenders:
        if each.record is not None:
            raise UserError(f"{each.name} is a training and has no card yet; export it first, or leave out --cards")


def put_into_cards(evaluation: Evaluation) -> None:
    """Put the figures into the cards of the models, in place of earlier ones of the same measure on the same data."""
    for contender in evaluation.contenders:
        for role, figures in evaluation.figures[contender.name].items():
            if role == contender.model.card.role:
                _put(contender.model, contender.folder, figures, evaluation.truth.name)
            else:
                folder = contender.companions or default_models_folder()
                _put(default_model(ROLES[role], folder), folder, figures, evaluation.truth.name)


def _put(model: Model[ModelCard], folder: Path, figures: Sequence[Figure], data: str) -> None:
    measured = {(data, each.measure): each.measurement(data) for each in figures}
    kept = [each for each in model.card.measured if (each.data, each.measure) not in measured]
    write_card(replace(model.card, measured=(*kept, *measured.values())), folder)
    for each in figures:
        log.info("%s: %s, %s", model.card.name, data, each.said())
