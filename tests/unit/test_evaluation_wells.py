"""Table 3 and its like from answers made up by hand."""

import json
import math

import numpy as np
import pytest

from crystal_search.bootstrap import Interval
from crystal_search.evaluation.image_judge import mistakes
from crystal_search.evaluation.image_tables import (
    confusion_of_images,
    group_table,
    image_confusion_table,
    image_table,
    looking_of,
    needed_table,
    table_3,
)
from crystal_search.evaluation.tables import Cell, csv_of
from tests.unit.evaluation_files import judged_images, scored_image

WELLS = (
    scored_image("A", "crystal_harvestable", (0.95, 0.1, 0.1, 0.2)),
    scored_image("B", "crystal_bad_form", (0.75, 0.1, 0.1, 0.9)),  # crystal below 75 %, else clear
    scored_image("C", "crystal_bad_form"),  # no drop found
    scored_image("D", "clear", (0.1, 0.1, 0.1, 0.99)),
    scored_image("E", "clear", (0.82, 0.1, 0.1, 0.99)),  # crystal below 82 %
    scored_image("F", "spherulites", (0.2, 0.3, 0.4, 0.3)),  # nothing above: clear is likeliest in the mean
    scored_image("G", "no_drop"),
    scored_image("H", "clear", error="cut off"),
)
RUN = judged_images(WELLS)


def cells(threshold: float) -> dict[str, Cell]:
    table = table_3([RUN], [threshold])
    return dict(zip([column.name for column in table.columns], table.rows[0], strict=True))


def rate(cell: Cell) -> float:
    assert isinstance(cell, Interval)
    return cell.value


@pytest.mark.parametrize(
    ("threshold", "crystal", "clear", "mean"),
    [(0.7, 2 / 3, 1 / 3, 3 / 7), (0.8, 1 / 3, 1 / 3, 2 / 7), (0.85, 1 / 3, 2 / 3, 3 / 7)],
)
def test_success_rates_by_hand(threshold: float, crystal: float, clear: float, mean: float) -> None:
    found = cells(threshold)
    assert rate(found["crystal_percent"]) == pytest.approx(crystal)
    assert rate(found["clear_percent"]) == pytest.approx(clear)
    assert rate(found["other_percent"]) == 0
    assert rate(found["weighted_mean_percent"]) == pytest.approx(mean)


def test_an_absent_group_is_empty_and_lost_drops_are_told() -> None:
    found = cells(0.85)
    assert math.isnan(rate(found["precipitate_percent"]))
    assert (found["images"], found["no_drop_found"], found["unreadable"]) == (7, 1, 1)
    assert cells(0.9)["network"] == "net"


def test_where_no_group_reaches_the_threshold_is_told_apart_from_clear() -> None:
    assert (cells(0.85)["unsure"], cells(0.4)["unsure"]) == (1, 0)  # F, which is clear in the mean
    table = image_table([RUN], 0.85)
    at = [column.name for column in table.columns].index("above_threshold")
    assert [row[at] for row in table.rows] == [True, True, None, True, True, False, None, None]


def test_confusion_of_groups() -> None:
    counts = confusion_of_images(WELLS, 0.85)
    assert counts.tolist() == [
        [1, 0, 0, 1, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 2, 1],
        [0, 0, 0, 0, 1],
    ]
    table = image_confusion_table([RUN], 0.85)
    assert ("net", "crystal", "no_drop", 1) in table.rows
    assert len(table.rows) == 5 * 5


def test_rates_of_groups() -> None:
    crystal, precipitate, _, clear = group_table([RUN], 0.85).rows
    assert crystal == ("net", "crystal", 3, 1.0, 1 / 3, 0.5)
    assert precipitate[2] == 0
    assert clear[3:5] == (2 / 4, 2 / 3)
    assert csv_of(group_table([RUN], 0.85)).splitlines()[2] == "net,precipitate,0,,,"


def test_looking_ranks_by_the_best_chop_and_puts_lost_drops_last() -> None:
    curve = looking_of(WELLS)
    assert curve.crystal_wells == 3
    assert curve.needed.value == 1  # the well whose drop was not found comes last, with the others like it
    assert curve.found[25] == pytest.approx(1 / 3)  # two of eight images looked at: A and E
    assert np.isclose(curve.found[38], 2 / 3)
    assert needed_table([("net", curve)]).shown()[0][2:] == ["3", "8"]


def test_every_whole_image_is_told() -> None:
    lines = csv_of(image_table([RUN], 0.85)).splitlines()
    assert len(lines) == 1 + len(WELLS)
    answer = "net,A.jpg,a,A,P,crystal_harvestable,crystal,clear,crystal"
    assert lines[1].startswith(f"{answer},yes,yes,yes,0.5,,0.5,,0.95,0.1,0.1,0.2,0.0")
    assert lines[3].startswith("net,C.jpg,a,C,P,crystal_bad_form,crystal,no_drop,,,yes,no,,,0.5,,,,")
    assert lines[7].startswith("net,G.jpg,a,G,P,no_drop,,no_drop,,,no,no,")
    assert ",unreadable,,,yes,no,,,0.5,cut off," in lines[8]
    json.dumps(image_table([RUN], 0.85).records(), allow_nan=False)


def test_missed_crystals_worst_first() -> None:
    assert [each.known.well for each in mistakes(WELLS, 0.85)["Crystals missed"]] == ["C", "B"]
    assert [each.known.well for each in mistakes(WELLS, 0.7)["Crystals missed"]] == ["C"]
