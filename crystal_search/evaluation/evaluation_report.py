"""An evaluation's files: page, tables, Markdown, JSON, written whole or not at all; and figures in cards."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.evaluation.judge import Contender, Figure
from crystal_search.evaluation.judge_kinds import Evaluation
from crystal_search.evaluation.page_parts import Section
from crystal_search.evaluation.report_page import Note, Report, report_markdown, report_page
from crystal_search.evaluation.tables import csv_of
from crystal_search.model import Model, default_model, default_models_folder, write_card
from crystal_search.model_card import ROLES, ClassifierCard, ImageCard, ModelCard
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
    truth, wells = evaluation.truth, len(evaluation.truth.images)
    split = f" Split {truth.split}." if truth.split else ""
    tables = [f"{name}.csv" for name in evaluation.tables]
    return report_page(
        Report(
            title=f"Evaluation of {', '.join(each.name for each in evaluation.contenders)}",
            about=f"{truth.source}{split} Images: {min(wells, evaluation.options.wells or wells)}.",
            said=[sentence for chapter in evaluation.chapters for sentence in chapter.sentences],
            warnings=[*evaluation.warnings, *(each for chapter in evaluation.chapters for each in chapter.warnings)],
            sections=_sections(evaluation),
            files=[*tables, *(name for chapter in evaluation.chapters for name in chapter.files), MARKDOWN, JSON],
            command=evaluation.command,
            notes=list(map(_note, evaluation.contenders)),
        )
    )


def _sections(evaluation: Evaluation) -> list[Section]:
    figures = Section("Figures", (INTERVALS, evaluation.figure_table))
    return [figures, *(section for chapter in evaluation.chapters for section in chapter.sections)]


def _note(contender: Contender) -> Note:
    card, record = contender.model.card, contender.record
    text = f"{contender.name}: {card.architecture}, sha256 {card.sha256[:12]}."
    return Note(text=text, command=card.training_command or "", after=f" on {record.data}" if record else "")


def markdown_of_all(evaluation: Evaluation) -> str:
    """Return the tables of the page as Markdown, to paste into a report."""
    return report_markdown(f"{evaluation.truth.source} {INTERVALS}", _sections(evaluation))


def evaluation_json(evaluation: Evaluation) -> str:
    """Return the text of ``evaluation.json``."""
    found = {
        "format": EVALUATION_FORMAT,
        "version": EVALUATION_VERSION,
        "command": evaluation.command,
        "data": evaluation.truth.name,
        "data_sha256": evaluation.truth.sha256 or None,
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
        "temperature": card.temperature if isinstance(card, ClassifierCard | ImageCard) else None,
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
