"""Tables of whole images: Table 3, confusion of groups, looking, and every single one."""

from collections.abc import Iterator, Sequence

import numpy as np

from crystal_search.evaluation.bootstrap import Draws, drawn
from crystal_search.evaluation.chop_tables import RATES, confusion_of_chops
from crystal_search.evaluation.examining import Examined
from crystal_search.evaluation.judged_wells import NOTHING, JudgedWell, answers, truths
from crystal_search.evaluation.looking import LOOKED_AT, Looking, looking
from crystal_search.evaluation.tables import Cell, Column, Table
from crystal_search.metrics import Floats, class_rates, confusion
from crystal_search.outcomes import GROUPS, NO_DROP, OUTCOME_NAMES, THRESHOLD, Group


def draws_of(wells: Sequence[JudgedWell]) -> Draws:
    """Return draws of the wells that images show."""
    return drawn([well.row.well for well in wells])


def table_3(runs: Sequence[Examined], thresholds: Sequence[float]) -> Table:
    """Return success rates of whole images by group, as Table 3 of Thielmann et al. (2023).

    Only wells that hold a drop are counted. The mean is weighted by how frequent the groups are.
    """
    columns = (
        Column("network", "Network"),
        Column("threshold_percent", "Threshold (%)", "percent", 0),
        *(Column(f"{group}_percent", f"{group.capitalize()} (%)", "percent") for group in GROUPS),
        Column("weighted_mean_percent", "Weighted mean (%)", "percent"),
        Column("images", "Images", "count"),
        Column("no_drop_found", "No drop found", "count"),
        Column("unreadable", "Unreadable", "count"),
    )
    return Table("table-3", columns, tuple(_table_3_row(run, each) for run in runs for each in thresholds))


def _table_3_row(run: Examined, threshold: float) -> tuple[Cell, ...]:
    wells = [well for well in run.wells if well.truth is not None]
    draws, truth = draws_of(wells), truths(wells)
    right = (truth == answers(wells, threshold)).astype(np.float64)
    return (
        run.name,
        threshold,
        *(draws.mean(right, truth == index) for index in range(len(GROUPS))),
        draws.mean(right),
        len(wells),
        sum(well.score.error is None and well.score.score is None for well in wells),
        sum(well.score.error is not None for well in wells),
    )


def confusion_of_wells(run: Examined, threshold: float = THRESHOLD) -> Floats:
    """Return how often a whole image of a group (row) was answered with one (column), or with no drop, (5, 5)."""
    return confusion(truths(run.wells), answers(run.wells, threshold), len(GROUPS) + 1)


def group_table(runs: Sequence[Examined], threshold: float = THRESHOLD) -> Table:
    """Return precision, recall and F1 of every group of whole images."""
    columns = (Column("network", "Network"), Column("group", "Group"), Column("images", "Images", "count"), *RATES[:3])
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        rates = class_rates(confusion_of_wells(run, threshold)[: len(GROUPS)])
        for index, group in enumerate(GROUPS):
            figures = (float(each[index]) for each in (rates.precision, rates.recall, rates.f1))
            rows.append((run.name, str(group), int(rates.support[index]), *figures))
    return Table("groups", columns, tuple(rows))


def confusion_table(runs: Sequence[Examined]) -> Table:
    """Return the confusion matrices of chops and of whole images, one row for each cell."""
    columns = (
        Column("network", "Network"),
        Column("of", "Of"),
        Column("truth", "Truth"),
        Column("answer", "Answer"),
        Column("count", "Count", "count"),
    )
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        of_wells = (*map(str, GROUPS), NO_DROP)
        for of, names, counts in (
            ("chops", run.record.classes, confusion_of_chops(run)),
            ("images", of_wells, confusion_of_wells(run)),
        ):
            rows += [
                (run.name, of, truth, answer, int(counts[row, column]))
                for row, truth in enumerate(names)
                for column, answer in enumerate(names)
            ]
    return Table("confusion", columns, tuple(rows))


def looking_of(run: Examined) -> Looking:
    """Return how many crystal wells are found by looking at the images that look most like crystals first."""
    scores = np.array([well.crystal_peak for well in run.wells], dtype=np.float64)
    crystal = np.array([well.truth is Group.CRYSTAL for well in run.wells], dtype=np.bool_)
    return looking(scores, crystal, [well.row.well for well in run.wells])


def looking_table(found: Sequence[tuple[Examined, Looking]]) -> Table:
    """Return the curves of `looking_of`."""
    columns = (
        Column("network", "Network"),
        Column("images_percent", "Images looked at (%)", "percent", 0),
        Column("found_percent", "Crystal wells found (%)", "percent"),
        Column("found_percent_low", "from (%)", "percent"),
        Column("found_percent_high", "to (%)", "percent"),
    )
    rows: list[tuple[Cell, ...]] = []
    for run, curve in found:
        points = np.stack([LOOKED_AT, curve.found, curve.low, curve.high], axis=1)  # (101, 4)
        rows += [(run.name, *map(float, each)) for each in points]
    return Table("looking", columns, tuple(rows))


def needed_table(found: Sequence[tuple[Examined, Looking]]) -> Table:
    """Return how many images must be looked at to find 90 % of the crystal wells."""
    columns = (
        Column("network", "Network"),
        Column("images_needed_percent", "To find 90 % of the crystal wells, look at (% of the images)", "percent"),
        Column("crystal_wells", "Crystal wells", "count"),
        Column("images", "Images", "count"),
    )
    rows = tuple((run.name, curve.needed, curve.crystal_wells, curve.images) for run, curve in found)
    return Table("needed", columns, rows)


def well_table(runs: Sequence[Examined], threshold: float = THRESHOLD) -> Table:
    """Return every whole image with its truth, its answer and all probabilities."""
    columns = (
        *(Column(key, key) for key in ("network", "key", "image", "well", "plate", "truth", "truth_group")),
        *(Column(key, key) for key in ("answer", "answer_group", "drop_found", "error")),
        *(Column(f"peak_{group}", f"peak_{group}", "number", 4) for group in GROUPS),
        *(Column(f"p_{name}", f"p_{name}", "number", 4) for name in OUTCOME_NAMES),
    )
    return Table("wells", columns, tuple(row for run in runs for row in _well_rows(run, threshold)))


def _well_rows(run: Examined, threshold: float) -> Iterator[tuple[Cell, ...]]:
    found = answers(run.wells, threshold).tolist()
    for well, answer in zip(run.wells, found, strict=True):
        row, score = well.row, well.score
        yield (
            *(run.name, row.key, row.image, row.well, row.plate, row.outcome, str(well.truth or "")),
            *(score.outcome, "" if answer == NOTHING else str(GROUPS[answer])),
            *(int(score.drop is not None), score.error or ""),
            *(score.group_peaks or (None,) * len(GROUPS)),
            *(score.class_probabilities or (None,) * len(OUTCOME_NAMES)),
        )
