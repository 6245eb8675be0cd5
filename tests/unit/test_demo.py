"""The main job's summary: agreement with what is known about the demo plate."""

import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.demo.bars import Bar
from crystal_search.demo.run import Done, view_line
from crystal_search.demo.truth import NAMING, ClassAgreement, agreement, read_truth, table
from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName
from crystal_search.result import ImageScore, RankedScore
from crystal_search.robot_names import read_name
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore
from tests.service_site import RECIPE


def scored(outcome: str, *, sure: bool = True) -> AutoScore:
    ranked = RankedScore(outcome=outcome, probability=0.9, above_threshold=sure)
    found = ImageScore(height_px=9, width_px=9, score=ranked if outcome != "no_drop" else None)
    return AutoScore(image_id=1, work_unit="u", recipe=RECIPE, scored_at=datetime.now(UTC), found=found)


def test_agreement_counts_groups_and_classes() -> None:
    truth = {"a": "clear", "b": "clear", "c": "clear", "d": "precipitate", "e": "no_drop"}
    scores = {"a": scored("clear"), "b": scored("rim", sure=False), "d": scored("no_drop"), "e": scored("no_drop")}
    assert agreement(truth, scores) == [
        ClassAgreement(outcome="precipitate", wells=1, right_group=0, right_class=0, unsure=0),
        ClassAgreement(outcome="clear", wells=3, right_group=2, right_class=1, unsure=1),
        ClassAgreement(outcome="no_drop", wells=1, right_group=1, right_class=1, unsure=0),
    ]


def test_the_table_has_a_line_for_every_outcome_group_and_all() -> None:
    text = table([ClassAgreement(outcome="clear", wells=4, right_group=3, right_class=1, unsure=2)])
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["clear", "4", "3", "75%", "1", "25%", "2"],
        [],
        ["all", "clear", "4", "3", "75%", "1", "25%", "2"],
        ["all", "4", "3", "75%", "1", "25%", "2"],
    ]


def test_names_of_the_demo_plate_are_read() -> None:
    assert read_name("/x/plate/demo_03B_1.jpg", NAMING) == ReadName(plate="demo", row=1, column=2, inspection=1)


def test_a_missing_plate_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no demo plate"):
        read_truth(tmp_path)


def test_a_run_without_work_says_so() -> None:
    assert "nothing was scored twice" in Done(imported=0, scored=0, seconds=1).sentence
    assert "2.00 wells per second" in Done(imported=0, scored=4, seconds=2).sentence


def test_the_line_that_shows_the_plate_works_from_another_folder(tmp_path: Path) -> None:
    home = tmp_path / "two words"
    words = shlex.split(view_line(Home(home)))
    assert words[-3:] == ["view", "--home", str(home)]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"there is no Crystal Search installation in {home}" in done.stderr


def test_bars_only_move_on(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("score", 4) as bar:
        bar.reach(2.6, 4)
        bar.reach(1.0)
        bar.add(2)
    with Bar("empty", 0) as bar:
        bar.add(0)
    told = capsys.readouterr().err
    assert "4/4" in told
    assert "empty" not in told
