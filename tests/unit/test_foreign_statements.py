"""The statements that go to other people's databases, as SQLAlchemy compiles them: pinned, and read by a parser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlalchemy.dialects.mssql.base import MSDialect
from sqlalchemy.dialects.oracle.oracledb import OracleDialect_oracledb
from sqlalchemy.sql import ClauseElement

from crystal_search.errors import ConfigError
from crystal_search.server.facility import rockmaker_statements, xtaltrak_statements
from crystal_search.server.facility.real_names import RealNames
from crystal_search.server.facility.rockmaker_schema import rockmaker_tables
from crystal_search.server.facility.site_tables import identifier, site_tables
from crystal_search.server.facility.xtaltrak_schema import WANTED, xtaltrak_tables

ORACLE, SQL_SERVER = OracleDialect_oracledb(), MSDialect()  # type: ignore[no-untyped-call]
GOLDEN = Path(__file__).parents[1] / "golden"


def xtaltrak() -> Iterator[tuple[str, ClauseElement | None]]:
    tables, statements = xtaltrak_tables({"PLATES.OWNER": "OWNER"}), xtaltrak_statements
    counts = next(table for table in tables.all if table is tables.counts)
    yield "new_images", statements.new_images(tables, (7, "a.jpg"), ("*_HF_99*", "*_UV_*"), 500)
    yield "images_of", statements.images_of(tables, (7, 8), ("*",))
    yield "new_scores", statements.new_scores(tables, 7, "ARTscore", 500)
    yield "plates", statements.plates(tables, ("CI1",))
    yield "samples", statements.samples(tables, ("CI1",))
    yield "lock_counters", statements.lock_counters(tables, [("CI1", 1), ("CI1", 2), ("CI2", 1)])
    yield "images_at", statements.images_at(tables, [("CI1", 1)])
    yield "first_by_others", statements.first_by_others(tables, ("CI1",), "ARTscore")
    yield "scores_of", statements.scores_of(tables, (7, 8))
    yield "add_score", statements.add_score(tables, "SCORE_SEQ")
    yield "add_score without a sequence", statements.add_score(tables, "")
    yield "change_own", statements.change_own(tables)
    yield "count_drops", statements.count_drops(counts)
    yield "may_add", statements.may_add(tables, "SCORE_SEQ")
    yield "may_change", statements.may_change(tables)
    yield "may_count", statements.may_count(counts)
    yield "newest_images", statements.newest_images(tables, 1000)


def rockmaker() -> Iterator[tuple[str, ClauseElement | None]]:
    tables, statements = rockmaker_tables({}), rockmaker_statements
    yield "new_images", statements.new_images(tables, 7, 500)
    yield "images_of", statements.images_of(tables, (7, 8), (1,))
    yield "batches", statements.batches(tables, (7, 8))
    yield "new_scores", statements.new_scores(tables, 7, 500)
    yield "owners", statements.owners(tables, (7, 8))
    yield "ingredients", statements.ingredients(tables, (7, 8))
    yield "may_change", statements.may_change(tables)
    yield "newest", statements.newest(tables, 100)


CASES = {
    "xtaltrak-oracle.sql": (xtaltrak, ORACLE, "oracle"),
    "rockmaker-mssql.sql": (rockmaker, SQL_SERVER, "tsql"),
}


def compiled(file: str) -> dict[str, str]:
    statements, dialect, _ = CASES[file]
    found = {}
    for name, statement in statements():
        assert statement is not None
        made = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        found[name] = "\n".join(line.rstrip() for line in str(made).splitlines())
    return found


def pinned(file: str) -> dict[str, str]:
    parts = (GOLDEN / file).read_text(encoding="utf-8").split("-- name: ")[1:]
    return {name: text.strip().removesuffix(";") for name, _, text in (part.partition("\n") for part in parts)}


@pytest.mark.parametrize("file", CASES)
def test_statements_are_those_that_were_agreed_on(file: str) -> None:
    """To agree on others, write them with ``python -m tests.unit.test_foreign_statements``, and read what changed."""
    assert compiled(file) == pinned(file)


@pytest.mark.parametrize("file", CASES)
def test_a_parser_of_the_database_reads_them(file: str) -> None:
    for name, text in compiled(file).items():
        statement = sqlglot.parse_one(text, read=CASES[file][2])
        assert statement.key in (("select",) if "mssql" in file else ("select", "insert", "update")), name


@pytest.mark.parametrize(
    "name", ["", "1A", "a b", 'a"; DROP TABLE I_SCORES; --', "a.b", "naïve", "x" * 129, "$x", "a\n", "a]"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is called"):
        identifier(name, "a table")
    with pytest.raises(ConfigError):
        xtaltrak_tables({"I_SCORES": name})
    with pytest.raises(ConfigError):
        xtaltrak_tables({"I_SCORES.SCORE": name})


def test_names_are_quoted_as_they_are_written() -> None:
    tables = xtaltrak_tables({"I_SCORES": "select", "I_SCORES.SCORE": "Order"}, owner="Group")
    made = str(xtaltrak_statements.change_own(tables).compile(dialect=ORACLE))
    assert made.startswith('UPDATE "Group"."select" SET "Order"=:score')


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ({"SCORES": "X"}, "nothing is called SCORES; choose from .*I_SCORES.SCOREDBY"),
        ({"I_SCORES": "none"}, "I_SCORES cannot be 'none'"),
        ({"I_SCORES.SCORE": "none"}, "I_SCORES.SCORE cannot be 'none'"),
    ],
)
def test_names_that_nobody_asks_for_or_that_must_be_there_are_refused(names: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        xtaltrak_tables(names)


def test_what_a_site_lacks_is_left_out() -> None:
    found = site_tables(WANTED, {"PLATES": "none", "I_SCORES": "S"}, owner="", may_lack=("PLATES",))
    assert "PLATES" not in found
    assert str(found["I_SCORES"].name) == "S"
    assert [column.key for column in found["I_IMAGES"].columns] == ["inspectid", "imagename"]


def test_real_names_differ_in_case_only(tmp_path: Path) -> None:
    (tmp_path / "Plate" / "a").mkdir(parents=True)
    for name in ("X.JPG", "y.jpg", "Y.JPG"):
        (tmp_path / "Plate" / "a" / name).touch()
    names = RealNames()
    for asked, real in (("plate/A/x.jpg", "Plate/a/X.JPG"), ("Plate/a/Z.jpg", "Plate/a/Z.jpg"), ("q/x.jpg", "q/x.jpg")):
        assert names.real(f"{tmp_path}/{asked}") == f"{tmp_path}/{real}"
    assert names.real(f"{tmp_path}/plate/a/y.JPG") == f"{tmp_path}/Plate/a/y.JPG"  # two are called so
    assert names.real("x.jpg") == "x.jpg"


def main() -> None:
    """Write the statements as they are now."""
    for file in CASES:
        parts: list[Any] = [f"-- name: {name}\n{text};\n" for name, text in compiled(file).items()]
        (GOLDEN / file).write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
