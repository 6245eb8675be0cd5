"""The demo plate: where its images lie, and what is known about them."""

import csv
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.naming import Naming
from crystal_search.outcomes import GROUPS, OUTCOMES, UNSURE, group_of
from crystal_search.server.imaging.imaging_database import AutoScore

NAMING = Naming(
    convention="pattern",
    pattern=r"(?P<plate>[^_/]+)_(?P<column>[0-9]{2})(?P<row>[A-Z])_(?P<drop>[0-9])\.jpg",
)
TRUTH_FILE = "truth.csv"


def plate_folder() -> Path:
    """Return the folder of the demo plate's images."""
    return Path(__file__).parent / "plate"


def read_truth(folder: Path) -> dict[str, str]:
    """Return the known outcome of each image file of a plate.

    Raises
    ------
    UserError
        If the plate is not there.
    """
    try:
        with (folder / TRUTH_FILE).open(encoding="utf-8", newline="") as file:
            return {row["file"]: row["outcome"] for row in csv.DictReader(file)}
    except OSError as error:
        raise UserError(f"there is no demo plate in {folder}; install the package again") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAgreement:
    """How the scores of the wells of one known outcome agree with it."""

    outcome: str
    wells: int
    right_group: int
    right_class: int
    unsure: int  #: in which no group reached the threshold; the likeliest is what agrees or does not


def agreement(truth: dict[str, str], scores: dict[str, AutoScore]) -> list[ClassAgreement]:
    """Return how the scores agree with the known outcomes, one row an outcome, in class order."""
    names = [outcome.name for outcome in OUTCOMES if outcome.name in truth.values()]
    names += sorted(set(truth.values()) - set(names))
    return [_of_class(name, [scores.get(file) for file, known in truth.items() if known == name]) for name in names]


def _of_class(name: str, scores: list[AutoScore | None]) -> ClassAgreement:
    outcomes = [score.outcome if score else "" for score in scores]
    return ClassAgreement(
        outcome=name,
        wells=len(outcomes),
        right_group=sum(group_or_answer(outcome) == group_or_answer(name) for outcome in outcomes),
        right_class=outcomes.count(name),
        unsure=sum(score is not None and score.found.counted_as == UNSURE for score in scores),
    )


def group_or_answer(outcome: str) -> str:
    """Return the group of an outcome; what is no class is a group of its own.

    >>> group_or_answer("precipitate_bad"), group_or_answer("no_drop")
    ('precipitate', 'no_drop')
    """
    return str(group_of(outcome) or outcome)


def table(rows: list[ClassAgreement]) -> str:
    """Return the agreement as text: every outcome, every group, all wells."""
    lines = [f"{'known outcome':24}{'wells':>6}{'right group':>13}{'right class':>13}{'unsure':>8}"]
    lines += [_line(row.outcome, [row]) for row in rows]
    lines.append("")
    for group in GROUPS:
        if members := [row for row in rows if group_or_answer(row.outcome) == group]:
            lines.append(_line(f"all {group}", members))
    return "\n".join([*lines, _line("all", rows)])


def _line(title: str, rows: list[ClassAgreement]) -> str:
    wells = sum(row.wells for row in rows)
    groups, classes = sum(row.right_group for row in rows), sum(row.right_class for row in rows)
    shares = f"{groups:>7} {groups / wells:>4.0%} {classes:>7} {classes / wells:>4.0%}"
    return f"{title:24}{wells:>6}{shares}{sum(row.unsure for row in rows):>8}"
