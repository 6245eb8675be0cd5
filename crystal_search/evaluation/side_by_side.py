"""Networks examined on one dataset, side by side: all of their tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from crystal_search.datasets.packed import PackedDataset
from crystal_search.evaluation.chop_tables import calibration_table, class_table, ece_table, table_2
from crystal_search.evaluation.examining import Examined, Options
from crystal_search.evaluation.looking import Looking
from crystal_search.evaluation.tables import Table
from crystal_search.evaluation.well_tables import (
    confusion_table,
    group_table,
    looking_of,
    looking_table,
    needed_table,
    table_3,
    well_table,
)

PAGE, MARKDOWN, JSON = "index.html", "tables.md", "evaluation.json"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """Networks examined on one dataset, side by side."""

    dataset: PackedDataset
    options: Options
    thresholds: tuple[float, ...]
    command: str  #: as it was typed
    runs: tuple[Examined, ...]
    looking: tuple[Looking, ...]  #: one for each run
    tables: dict[str, Table]  #: by name


def evaluated(
    runs: Sequence[Examined], dataset: PackedDataset, options: Options, thresholds: Sequence[float], command: str
) -> Evaluation:
    """Return all tables of examined networks."""
    curves = [looking_of(run) for run in runs]
    pairs = list(zip(runs, curves, strict=True))
    tables = (
        table_2(runs),
        table_3(runs, thresholds),
        group_table(runs),
        class_table(runs),
        confusion_table(runs),
        ece_table(runs),
        calibration_table(runs),
        needed_table(pairs),
        looking_table(pairs),
        well_table(runs),
    )
    return Evaluation(
        dataset=dataset,
        options=options,
        thresholds=tuple(thresholds),
        command=command,
        runs=tuple(runs),
        looking=tuple(curves),
        tables={table.name: table for table in tables},
    )
