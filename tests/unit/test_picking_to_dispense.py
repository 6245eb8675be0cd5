"""Where a list of ticked drops sends a dispenser, and which drops it leaves out. A drop of the site is a rectangle."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from crystal_search.crystal import Crystal
from crystal_search.errors import UserError
from crystal_search.geometry import Box, Point
from crystal_search.result_crystals import MAX_CRYSTALS, MAX_UNCOUNTED, uncounted_of
from crystal_search.server.imaging.marks import DISPENSE, PICK
from crystal_search.viewer.picking.dispensing_places import Places, places_to_dispense, why_unknown
from crystal_search.viewer.picking.pick_formats import PICK_FORMATS, PickOptions
from crystal_search.viewer.picking.picks import Pick
from tests.unit.test_picking import OPTIONS, mark, pick, text_of, with_crystals
from tests.viewer_site import CRYSTALS, auto_score, crystal_at

SCALE = 2.5
WHOLE = crystal_at(120, 160, 200, 150)


def rows_of(picks: Sequence[Pick], options: PickOptions = OPTIONS) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of("dispense", picks, options).splitlines()))


def found_as(**changed: Any) -> Pick:
    """Return a drop of which a score tells something else."""
    picked = pick(2)
    score = auto_score(2, "clear")
    found = replace(score.found, **{"crystals": (), **changed})
    return replace(picked, drop=replace(picked.drop, auto=replace(score, found=found)))


def place(places: Places) -> tuple[float, float]:
    (position,) = places.positions
    assert position.origin == "farthest from crystals"
    return position.row_px, position.column_px


def test_it_is_as_far_from_the_crystals_as_from_the_border() -> None:
    # The drop ends at row 180 and column 240, the crystal has a corner at (110, 180): the largest circle has 38 px.
    picked = with_crystals(2)
    (row, column) = place(places_to_dispense(picked, SCALE))
    assert (row, column) == (141.5, 201.5)
    (told,) = rows_of([picked])
    assert (told["x_px"], told["y_px"], told["position_from"]) == ("201.5", "141.5", "farthest from crystals")
    assert (told["offset_right_um"], told["offset_up_um"], told["refused"]) == ("103.8", "-53.8", "")
    assert float(told["to_crystal_px"]) == pytest.approx(38.2, abs=0.2)
    assert float(told["to_border_um"]) == pytest.approx(38.5 * SCALE, abs=0.1)
    assert text_of("soakdb", [picked], OPTIONS) == "C01a,104,54\n"


def test_the_place_is_far_from_each_crystal_and_from_the_middle_of_none() -> None:
    for crystals in (CRYSTALS, CRYSTALS[:1], (crystal_at(120, 160, 10, 10),)):
        ((row, column),) = [place(places_to_dispense(pick(2, crystals=crystals), SCALE))]
        for crystal in crystals:
            middle_row, middle_column = crystal.middle
            assert (row - middle_row) ** 2 + (column - middle_column) ** 2 > (84 / SCALE) ** 2


def test_a_mark_to_dispense_at_counts_alone_and_also_in_a_drop_that_was_not_searched() -> None:
    marks = [mark(DISPENSE, Point(100, 140)), mark(PICK, Point(60, 200))]
    for crystals in (CRYSTALS, None):
        (told,) = rows_of([pick(2, marks=marks, crystals=crystals)])
        assert (told["x_px"], told["position_from"], told["marked_by"]) == ("140.5", "dispense mark", "Zoë")
        assert (told["to_crystal_px"], told["refused"]) == ("", "")


def test_a_crystal_that_does_not_count_is_not_hit_and_no_position_to_harvest_at() -> None:
    doubtful = uncounted_of(crystal_at(119, 139, 20, 10, 0.45))
    counted, seen = found_as(), found_as(uncounted=(doubtful,))
    assert place(places_to_dispense(counted, SCALE)) == (119.5, 139.5)
    row, column = place(places_to_dispense(seen, SCALE))
    (told,) = rows_of([seen])
    assert (row - 119) ** 2 + (column - 139) ** 2 > (84 / SCALE) ** 2
    assert float(told["to_crystal_um"]) >= 84
    assert [each.origin for each in seen.positions([PICK])] == [each.origin for each in counted.positions([PICK])]


@pytest.mark.parametrize("to_pick", [Point(119, 139), Box(110, 130, 130, 150)])
def test_a_crystal_that_a_person_marked_to_be_picked_is_not_hit(to_pick: Point | Box) -> None:
    alone = place(places_to_dispense(pick(2), SCALE))
    assert alone == (119.5, 139.5)
    row, column = place(places_to_dispense(pick(2, marks=[mark(PICK, to_pick)]), SCALE))
    assert (row - 120) ** 2 + (column - 140) ** 2 > (84 / SCALE) ** 2


@pytest.mark.parametrize(
    ("picked", "message"),
    [
        (pick(2, scored=False), "nothing scored it"),
        (pick(2, scored=False, marks=[mark(DISPENSE, Point(1, 1))]), "its size is not known"),
        (found_as(height_px=0, width_px=0, error="cut off"), "its image could not be read"),
        (found_as(drop=None), "no drop was found in it"),
        (pick(2, crystals=None), "it was never searched for crystals"),
        (pick(2, crystals=MAX_CRYSTALS * CRYSTALS[:1]), "only 100 crystals of an image are told"),
        (
            found_as(uncounted=MAX_UNCOUNTED * (uncounted_of(CRYSTALS[0]),)),
            "only 100 crystals that do not count are told",
        ),
    ],
)
def test_what_is_not_known_is_said_and_no_drop_is_hit_by_chance(picked: Pick, message: str) -> None:
    assert message in why_unknown(picked)
    (told,) = rows_of([picked])
    assert message in told["refused"]
    assert (told["x_px"], told["position_from"]) == ("", "")
    with pytest.raises(UserError, match=r"P1 C01 drop 1: .*" + message):
        text_of("soakdb", [picked], OPTIONS)


@pytest.mark.parametrize(
    ("crystals", "um_per_px", "message"),
    [
        ((), 1.0, "the best place is 60 um from the drop's border; wanted are 84 um"),
        (CRYSTALS, 2.0, "the best place is 76 um from a crystal and 77 um from the drop's border; wanted are 84 um"),
        ((WHOLE,), 2.0, "crystals cover the whole drop"),
        ((WHOLE,), None, "crystals cover the whole drop"),
    ],
)
def test_too_near_is_refused(crystals: tuple[Crystal, ...], um_per_px: float | None, message: str) -> None:
    picked = pick(2, crystals=crystals)
    assert why_unknown(picked) == ""
    (told,) = rows_of([picked], PickOptions(um_per_px=um_per_px))
    assert (told["refused"], told["x_px"]) == (message, "")


def test_without_a_scale_the_table_has_pixels_and_asks_for_no_clearance() -> None:
    (told,) = rows_of([pick(2, crystals=(crystal_at(120, 160, 158, 100),))], PickOptions())
    assert (told["to_border_px"], told["to_border_um"], told["um_per_px"]) == ("4.5", "", "")


def test_what_is_refused_is_left_out_of_robots_files_and_counted() -> None:
    picks = [pick(1, column=1), pick(2, column=2, crystals=None), with_crystals(3)]
    for name, lines in (("soakdb", 2), ("echo", 3)):
        file = PICK_FORMATS[name].file(picks, OPTIONS)
        assert (len(file.text.splitlines()), file.left_out) == (lines, 1)
    assert [bool(told["refused"]) for told in rows_of(picks)] == [False, True, False]


def test_a_message_names_a_few_drops() -> None:
    picks = [pick(number, column=number, crystals=None) for number in range(7)]
    with pytest.raises(UserError, match=r"drop 1: it was never.*; and 2 more"):
        text_of("echo", picks, OPTIONS)


def test_without_scipy_marks_are_places_and_the_others_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    picks = [pick(1, column=1), pick(2, marks=[mark(DISPENSE, Point(60, 200))])]
    file = PICK_FORMATS["soakdb"].file(picks, OPTIONS)
    assert (file.text, file.left_out) == ("C01a,101,-149\n", 1)
    assert "pip install 'crystal-search[crystals]'" in rows_of(picks)[0]["refused"]
