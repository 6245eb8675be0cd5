"""Tables, learning curves, names: what is shown and written."""

import csv
import io
from pathlib import Path

import pytest

from crystal_search.bootstrap import Interval
from crystal_search.errors import UserError
from crystal_search.evaluation import paper
from crystal_search.evaluation.contenders import names_of
from crystal_search.evaluation.tables import csv_of, markdown_of, table
from crystal_search.training.learning_curve import Effort, effort

NAN = float("nan")
TABLE = table(
    "some",
    ("network", "weighted_mean_percent", "train_loss", "chops", "total_s"),
    (
        ("a|b", Interval(0.5, 0.25, 0.756), 0.123456789, 1234567, 3661.0),
        ("c", Interval(NAN, NAN, NAN), None, 0, None),
    ),
)


def test_people_read_short_figures_with_intervals() -> None:
    assert TABLE.shown() == [
        ["a|b", "50.0 (25.0–75.6)", "0.12", "1 234 567", "1:01:01"],
        ["c", "–", "–", "0", "–"],
    ]


def test_bounds_below_nothing_are_kept_apart_by_a_word() -> None:
    text = markdown_of(table("pairs", ("person", "kappa"), [("Ada", Interval(value=-0.125, low=-0.241, high=-0.029))]))
    assert "-0.125 (-0.241 to -0.029)" in text


def test_csv_has_bounds_in_columns_and_empty_cells_empty() -> None:
    assert csv_of(TABLE).splitlines() == [
        "network,weighted_mean_percent,weighted_mean_percent_low,weighted_mean_percent_high,train_loss,chops,total_s",
        "a|b,50.0,25.0,75.6,0.123457,1234567,3661.0",
        "c,,,,,0,",
    ]


def test_markdown_lines_up_and_keeps_its_bars() -> None:
    assert markdown_of(TABLE).splitlines() == [
        "| Network | Weighted mean (%) | Train loss | Chops | Total time (h:min:s) |",
        "| --- | ---: | ---: | ---: | ---: |",
        r"| a\|b | 50.0 (25.0–75.6) | 0.12 | 1 234 567 | 1:01:01 |",
        "| c | – | – | 0 | – |",
    ]


def test_rows_and_columns_are_picked() -> None:
    picked = TABLE.only(network="c")
    assert [column.name for column in picked.columns] == ["weighted_mean_percent", "train_loss", "chops", "total_s"]
    assert picked.shown() == [["–", "–", "0", "–"]]
    assert TABLE.columns_but("train_loss", "chops", "total_s", "weighted_mean_percent").rows == (("a|b",), ("c",))


def test_the_papers_tables_are_whole() -> None:
    for each in (paper.TABLE_2, paper.TABLE_3):
        assert all(len(row) == len(each.columns) for row in each.rows)
        assert len(list(csv.DictReader(io.StringIO(csv_of(each))))) == len(each.rows)
    squeezenet = paper.TABLE_2.only(network="SqueezeNet (13)").shown()[0]
    assert squeezenet == ["2.9", "18", "200", "8:26:48", "2.53", "81.7", "98.3", "0.54", "79.4", "97.6", "0.64"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("step,epoch,seconds\n5,0.5,40\n10,1.0,90.0\n", Effort(1.0, 90.0)),
        ("step,seconds_per_step,loss\n100,0.5,2\n150,1.0,1\n", Effort(None, 100.0)),
        ("", Effort()),
        ("step,loss\n1,2\n", Effort()),
        ("step,epoch,seconds\n5,oh,dear\n", Effort()),
        ("step,epoch,seconds\n5\n", Effort()),
    ],
)
def test_effort_of_every_kind_of_learning_curve(tmp_path: Path, text: str, expected: Effort) -> None:
    (tmp_path / "learning-curve.csv").write_text(text)
    assert effort(tmp_path) == expected


def test_no_curve_no_effort(tmp_path: Path) -> None:
    assert effort(tmp_path) == Effort()
    assert Effort(4.0, 240.0).seconds_per_epoch == 60
    assert Effort(0.0, 240.0).seconds_per_epoch is None


def test_a_training_is_named_once() -> None:
    with pytest.raises(UserError, match="named twice"):
        names_of([Path("runs/x"), Path("runs/../runs/x")])
