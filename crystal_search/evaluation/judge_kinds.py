"""All judges by the role of the models that they judge, and what they say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crystal_search.datasets.packed import ABOUT, PackedDataset, WellRow, open_dataset, sampled
from crystal_search.evaluation.chop_judge import ChopJudge
from crystal_search.evaluation.crystal_judge import CrystalJudge
from crystal_search.evaluation.drop_judge import DropJudge
from crystal_search.evaluation.image_judge import ImageJudge
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judge, Judged, Options
from crystal_search.evaluation.known_images import Truth
from crystal_search.evaluation.tables import Table, table
from crystal_search.known_names import among
from crystal_search.training.run_record import RunRecord

_OF_IMAGES = ImageJudge()
#: In the order of the page. A new kind of model is a line here; roles with one judge are judged side by side.
JUDGES: dict[str, tuple[Judge[Any], ...]] = {
    "classifier": (_OF_IMAGES, ChopJudge()),
    "first_look": (_OF_IMAGES,),
    "image": (_OF_IMAGES,),
    "drop": (DropJudge(),),
    "crystals": (CrystalJudge(),),
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """Models judged on one truth, side by side."""

    truth: Truth
    options: Options
    command: str  #: as it was typed
    contenders: tuple[Contender, ...]
    chapters: tuple[Chapter, ...]
    figures: Mapping[str, Mapping[str, Sequence[Figure]]]  #: by contender, and by the role of the model
    warnings: tuple[str, ...]

    @property
    def tables(self) -> dict[str, Table]:
        """All tables by name."""
        found = [self.figure_table, *(each for chapter in self.chapters for each in chapter.tables)]
        return {each.name: each for each in found}

    @property
    def figure_table(self) -> Table:
        """All figures."""
        rows = [
            (name, each.measure, each.interval, each.count)
            for name, roles in self.figures.items()
            for figures in roles.values()
            for each in figures
        ]
        return table("figures", ("network", "measure", "value", "images"), rows)


def judges_of(role: str) -> tuple[Judge[Any], ...]:
    """Return the judges of models of a role.

    Raises
    ------
    UnknownNameError
        If nobody judges such models.
    """
    return among(JUDGES, role, "judge of models of the role")


def evaluated(contenders: Sequence[Contender], truth: Truth, options: Options, command: str) -> Evaluation:
    """Return what the judges say of models: each of those that it judges, side by side.

    Raises
    ------
    UserError
        If a model cannot be judged on this truth.
    """
    chapters: list[Chapter] = []
    figures: dict[str, dict[str, list[Figure]]] = {each.name: {} for each in contenders}
    for judge in dict.fromkeys(judge for each in contenders for judge in judges_of(each.model.card.role)):
        mine = [each for each in contenders if judge in judges_of(each.model.card.role)]
        judged = [Judged(each, judge.verdicts(each, truth, options)) for each in mine]
        for each in judged:
            for about, found in judge.figures(each.verdicts).items():
                figures[each.name].setdefault(about, []).extend(found)
        chapters.append(judge.chapter(judged, truth, options))
    return Evaluation(
        truth=truth,
        options=options,
        command=command,
        contenders=tuple(contenders),
        chapters=tuple(chapters),
        figures=figures,
        warnings=tuple(_warnings(contenders, truth, options)),
    )


def _warnings(contenders: Sequence[Contender], truth: Truth, options: Options) -> list[str]:
    found = (
        [f"Images that no line of the table names, and that were left out: {truth.ignored}."] if truth.ignored else []
    )
    if truth.split == "validation":
        found.append("Training may have stopped by this split, and temperatures were fitted on it: figures flatter.")
    if truth.split == "train":
        found.append("The networks were trained on this split: these figures say nothing about new images.")
    elif truth.dataset is not None:
        rows = sampled(truth.dataset.wells(truth.split), options.wells)
        for each in contenders:
            if each.record is not None and (learnt := learnt_from(each.record, truth.dataset, rows)):
                found.append(
                    f"{each.name} was trained on wells that {learnt} of these images show, in the dataset "
                    f"{each.record.data}: its figures flatter."
                )
    return found


def learnt_from(record: RunRecord, dataset: PackedDataset, rows: Sequence[WellRow]) -> int:
    """Return how many whole images, `rows`, are of wells that a network was trained on.

    The dataset that it was trained on may be another one of the same archive, divided in another way; it is not
    asked where it is no longer there. Wells of two archives may have the same names.
    """
    taught = Path(record.data)
    if record.task == "cells" or not (taught / ABOUT).exists():
        return 0
    its = open_dataset(taught)
    if not set(its.about.sources) & set(dataset.about.sources):
        return 0
    wells = {row.well for row in (*its.chops("train"), *its.wells("train"))}
    return sum(row.well in wells for row in rows)
