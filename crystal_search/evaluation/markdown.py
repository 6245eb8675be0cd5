"""The tables of an evaluation as Markdown, to paste into a report."""

from crystal_search.evaluation import paper
from crystal_search.evaluation.side_by_side import Evaluation
from crystal_search.evaluation.tables import Table, markdown_of
from crystal_search.outcomes import THRESHOLD

INTERVALS = (
    "In brackets: 95 % intervals, from drawing wells again 1000 times. "
    "An empty cell (–) means that there was nothing to measure."
)


def markdown_tables(evaluation: Evaluation) -> str:
    """Return Tables 2 and 3, what they take for what, looking and calibration, each with what it was measured on."""
    tables, first = evaluation.tables, evaluation.runs[0]
    split, name = evaluation.options.split, evaluation.dataset.folder.resolve().name
    chops = f"{len(first.train.labels)} training and {len(first.validation.labels)} validation chops"
    at = f"at a threshold of {100 * THRESHOLD:.0f} %"
    parts = [
        f"Dataset {name}: {'; '.join(evaluation.dataset.about.sources)}. {INTERVALS}\n",
        _part("Size, time, and accuracy on chops", f"{chops}, not augmented.", _narrow(tables["table-2"])),
        _part(f"The same in {paper.SOURCE}", "Measured on other images.", paper.TABLE_2),
        _part("Success rates of whole images", f"{len(first.wells)} images of the split {split}.", tables["table-3"]),
        _part(f"The same in {paper.SOURCE}", "Measured on other images.", paper.TABLE_3),
        _part("Groups of whole images", f"{len(first.wells)} images of the split {split}, {at}.", tables["groups"]),
        _part("Images to look at", f"{len(first.wells)} images of the split {split}.", tables["needed"]),
        _part("Calibration", f"{len(first.judged.labels)} chops of the split {split}.", tables["ece"]),
    ]
    return "\n".join(parts)


def _narrow(table: Table) -> Table:
    return table.columns_but("train_chops", "validation_chops")


def _part(heading: str, what: str, table: Table) -> str:
    return f"## {heading}\n\n{what}\n\n{markdown_of(table)}"
