"""What can be trained, by name. Nothing here needs torch: a task's module is imported when it is wanted."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crystal_search.training.requests import (
    CellRequest,
    ChopRequest,
    CrystalRequest,
    DropRequest,
    ImageRequest,
    Request,
)

if TYPE_CHECKING:
    from crystal_search.training.machine import Machine
    from crystal_search.training.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKind:
    """A kind of task."""

    purpose: str
    request: type[Request]  #: what can be asked for
    module: str  #: with ``opened(request, machine)``, which returns the task

    def opened(self, request: Request, machine: "Machine") -> "Task":
        """Return the task that was asked for.

        Raises
        ------
        UserError
            If something that was asked for is not there or does not fit.
        """
        task: Task = importlib.import_module(self.module).opened(request, machine)
        return task


#: All tasks by the word after ``crystal-search train``; a new one is its module and a line here.
TASKS: dict[str, TaskKind] = {
    "chops": TaskKind(
        purpose="train a classifier on the chops of a dataset",
        request=ChopRequest,
        module="crystal_search.training.chops_task",
    ),
    "images": TaskKind(
        purpose="train a classifier on whole images of a dataset",
        request=ImageRequest,
        module="crystal_search.training.images_task",
    ),
    "cells": TaskKind(
        purpose="train a classifier on every cell of rendered wells",
        request=CellRequest,
        module="crystal_search.training.cells_task",
    ),
    "drops": TaskKind(
        purpose="train a drop locator on the masks of whole images",
        request=DropRequest,
        module="crystal_search.training.drops_task",
    ),
    "crystals": TaskKind(
        purpose="train a detector of single crystals on images whose crystals are known one by one",
        request=CrystalRequest,
        module="crystal_search.training.crystals_task",
    ),
}
