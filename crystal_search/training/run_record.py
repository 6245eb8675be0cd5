"""What a training is: the record ``run.json`` in its folder, which evaluation and export read."""

import json
import os
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.training.requests import Request

RUN, RUN_FORMAT, RUN_VERSION = "run.json", "crystal-search training", 2
#: What version 1 says as ``taught_by``.
FIRST_VERSION = {
    "chops": {"task": "chops", "role": "classifier"},
    "cells": {"task": "cells", "role": "classifier"},
    "masks": {"task": "drops", "role": "drop"},
}
TRACES = (RUN, "checkpoint.pt", "learning-curve.csv")  #: files by which a training's folder is known


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What was trained, on what, and how."""

    task: str  #: of `task_kinds.TASKS`
    role: str  #: of the model that becomes of it
    architecture: str  #: of `network_kinds.NETWORKS`
    classes: tuple[str, ...]  #: in the order of the outputs
    normalisation: str  #: of `images.NORMALISATIONS`; it decides how many channels the network reads
    working_width_px: int
    data: str  #: folder of the dataset, or of rendered shards
    command: str  #: as it was typed
    seed: int
    enlarged: float = 1.0  #: times, images by a crystal detector, see `images.Sight`; in the file where it is not 1


def recorded(request: Request, **learnt: Any) -> RunRecord:
    """Return the record of a training that was asked for; `learnt` is what its task decides."""
    data = os.path.abspath(request.data)
    return RunRecord(architecture=request.network, data=data, command=request.command, seed=request.seed, **learnt)


def check_free(folder: Path) -> None:
    """Refuse a folder for a training that holds something else; hidden files in it do no harm.

    Raises
    ------
    UserError
        If it does.
    """
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith(".")) if folder.is_dir() else []
    if names and not any(name in names for name in TRACES):
        raise UserError(f"{folder} holds something that is no training ({names[0]}); name a new folder")


def write_run(folder: Path, record: RunRecord) -> None:
    """Write ``run.json`` to `folder`, whole or not at all."""
    told = asdict(record)
    if record.enlarged == 1:
        del told["enlarged"]
    text = json.dumps({"format": RUN_FORMAT, "version": RUN_VERSION} | told, indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RUN, text)


def read_run(folder: Path) -> RunRecord:
    """Return the record of the training in `folder`.

    Raises
    ------
    UserError
        If there is none, or another version wrote it.
    """
    path = folder / RUN
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"no training in {folder}: {path.name}: {error.strerror}; name a training's folder") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; train again") from error
    if not isinstance(read, dict) or read.get("format") != RUN_FORMAT or read.get("version") not in (1, RUN_VERSION):
        raise UserError(f"{path} is no record of a training of version 1 or {RUN_VERSION}; train again")
    try:
        told = read | FIRST_VERSION[read["taught_by"]] if read["version"] == 1 else read
        names = [each.name for each in fields(RunRecord) if each.default is MISSING or each.name in told]
        known = {name: told[name] for name in names}
        return RunRecord(**(known | {"classes": tuple(known["classes"])}))
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} lacks or misnames {error}; train again") from error
