"""An evaluation's files, written whole or not at all."""

import json
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.evaluation.evaluation_page import page_of
from crystal_search.evaluation.markdown import markdown_tables
from crystal_search.evaluation.side_by_side import JSON, MARKDOWN, PAGE, Evaluation
from crystal_search.evaluation.tables import csv_of
from crystal_search.files import whole_folder

OF_DROPS = "drop-figures.csv"  #: of an evaluation of a drop locator
EVALUATION_FORMAT, EVALUATION_VERSION = "crystal-search evaluation", 1
ONLY_AS_CSV = ("wells",)  #: too long for the JSON file


def evaluation_json(evaluation: Evaluation) -> str:
    """Return the text of ``evaluation.json``."""
    found = {
        "format": EVALUATION_FORMAT,
        "version": EVALUATION_VERSION,
        "command": evaluation.command,
        "dataset": str(evaluation.dataset.folder),
        "split": evaluation.options.split,
        "thresholds": evaluation.thresholds,
        "networks": [
            {
                "name": run.name,
                "architecture": run.record.architecture,
                "classes": run.record.classes,
                "trained_by": run.record.command,
                "temperature": run.temperature,
            }
            for run in evaluation.runs
        ],
        "tables": {name: table.records() for name, table in evaluation.tables.items() if name not in ONLY_AS_CSV},
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def check_free(folder: Path, *, replace: bool) -> None:
    """Refuse to write over what is there already.

    Raises
    ------
    UserError
        If `folder` is a file, holds something that is no evaluation, or an evaluation that may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not any((folder / each).is_file() for each in (JSON, OF_DROPS)):
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
        (part / MARKDOWN).write_text(markdown_tables(evaluation), encoding="utf-8")
        (part / PAGE).write_text(page_of(evaluation), encoding="utf-8")
        (part / JSON).write_text(evaluation_json(evaluation), encoding="utf-8")
    return folder / PAGE
