"""XtalTrak as a facility's database: the same statements on Oracle's SQL in H2, SQLite, PostgreSQL and MariaDB."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Engine, Integer, String, create_engine, event, text

from crystal_search.errors import DatabaseError
from crystal_search.server.facility.facility_database import Refusal
from crystal_search.server.facility.foreign_sql import begin_writing
from crystal_search.server.facility.xtaltrak_database import XtalTrakDatabase
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, xtaltrak_tables
from crystal_search.server.imaging.stored_images import NewImage
from tests.xtaltrak_site import FIRST, PlayedXtalTrak, image_of, key, scored

PLATE = [(row, column) for row in range(2) for column in range(3)]
SITE = XtalTrakSite(channels={"*_UV_*": "uv", "*_HF_99*": "visible"}, time_zone="UTC")
"""Channels as a site with two types of images says them."""

DATABASES = [
    "oracle",
    "sqlite",
    *(pytest.param(kind, marks=pytest.mark.database) for kind in ("postgresql", "mariadb")),
]
Make = Callable[..., PlayedXtalTrak]


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def make(kind: str, foreign_engine: Callable[[str], Engine]) -> Make:
    """Return a played site; with names of its own, if they are given."""

    def made(site: XtalTrakSite = SITE, *, never: int | None = None, **names: str) -> PlayedXtalTrak:
        own, ours = foreign_engine(kind), foreign_engine(kind)
        if kind == "oracle":
            with own.begin() as connection:
                connection.exec_driver_sql('CREATE SCHEMA "CRYSTAL"')
        tables = xtaltrak_tables(
            {key.replace("__", "."): value for key, value in names.items()}, owner=OWNERS.get(kind, "")
        )
        if never is not None:
            tables.scores.append_constraint(CheckConstraint(tables.scores.c.score != never, name="never"))
        sequence = "" if kind == "sqlite" else "SCORE_SEQ"
        return PlayedXtalTrak(own, ours, tables, replace(site, sequence=sequence))

    return made


OWNERS = {"oracle": "CRYSTAL"}
everywhere = pytest.mark.parametrize("kind", DATABASES, indirect=True)
without_servers = pytest.mark.parametrize("kind", DATABASES[:2], indirect=True)


def drops(inspection: int = 1, **fields: Any) -> list[NewImage]:
    return [image_of(key(well, inspection, **fields)) for well in PLATE]


@everywhere
def test_pull_gives_images_by_type_with_their_places_and_dates(make: Make) -> None:
    site = make()
    uv = image_of(key(inspection=2, channel="uv"))
    slices = NewImage(key=key(inspection=2), path="/images/CI1/2/slice_HF_01.jpg")
    site.take([*drops(1), *drops(2), uv, slices])
    found = site.facility.pull("", limit=1000)
    assert sorted(found.images, key=lambda each: each.path) == sorted(
        [*drops(1), *drops(2), uv], key=lambda each: each.path
    )
    assert (found.left_out, found.more, found.scores) == ((), False, ())


@without_servers
def test_pull_in_small_steps_finds_each_image_and_later_ones(make: Make) -> None:
    site = make()
    site.take(drops(1))
    paths, mark, more = set(), "", True
    while more:
        found = site.facility.pull(mark, limit=2)
        paths |= {each.path for each in found.images}
        more, mark = found.more, found.mark
    site.take(drops(2))
    paths |= {each.path for each in site.facility.pull(mark, limit=1000).images}
    assert paths == {each.path for each in (*drops(1), *drops(2))}


@everywhere
def test_people_and_their_scores_come_with_the_path_of_an_image_that_we_have(make: Make) -> None:
    site = make(replace(SITE, outcomes={20: "crystal_bad_form"}))
    image = drops()[0]
    site.take([image])
    site.score(image, "zoe", 20, FIRST + timedelta(days=1))
    site.score(image, None, 1, FIRST + timedelta(days=2), name="slice_HF_03.jpg")
    site.score(image, "tom", 77, FIRST)
    found = site.facility.pull("", limit=1000)
    assert [(each.path, each.person, each.outcome, each.scored_at) for each in found.scores] == [
        (image.path, "zoe", "crystal_bad_form", FIRST + timedelta(days=1)),
        (image.path, "XtalTrak", "clear", FIRST + timedelta(days=2)),
    ]
    assert found.left_out == ("scores 77: no outcome has this number; name one in [facility.outcomes]",)
    site.score(image, "zoe", 1, FIRST + timedelta(days=3))
    assert site.facility.pull(found.mark, limit=1000).scores[:2] == found.scores  # the last are looked at again


def test_all_images_come_before_the_first_score(make: Make) -> None:
    site = make()
    images = [*drops(1), *drops(2)]
    site.take(images)
    for days, image in enumerate(reversed(images)):
        site.score(image, "zoe", 23, FIRST + timedelta(days=20 + days))
    known, scores, mark, more, looks = set[str](), set[str](), "", True, 0
    while more:
        found = site.facility.pull(mark, limit=5)
        known |= {each.path for each in found.images}
        assert {each.path for each in found.scores} <= known
        scores |= {each.path for each in found.scores}
        mark, more, looks = found.mark, found.more, looks + 1
    assert scores == known == {each.path for each in images}
    assert looks == 5  # three for images, of which the last brings scores, and two more for scores


@everywhere
def test_push_adds_a_row_for_each_image_and_counts_each_drop_once(make: Make) -> None:
    site = make()
    images = drops()
    site.take(images)
    given = [scored(image, number) for number, image in enumerate(images)]
    assert site.facility.push(given) == ()
    assert [(row.imagename, row.score, row.scoredby) for row in site.rows()] == [
        (image.path.rpartition("/")[2], 23, "ARTscore") for image in images
    ]
    assert site.counters() == {("CI1", 1): 6}
    before = site.rows()
    assert site.facility.push(given) == ()
    assert (site.rows(), site.counters()) == (before, {("CI1", 1): 6})


@without_servers
def test_a_later_score_takes_the_place_of_our_earlier_one_alone(make: Make) -> None:
    site = make()
    image, other = drops()[:2]
    site.take([image, other])
    site.facility.push([scored(image, 1), scored(other, 2)])
    site.facility.push([scored(image, 1, "clear", score_id=3)])
    site.facility.push([scored(other, 2, "spherulites", score_id=4), scored(other, 2, "precipitate", score_id=5)])
    assert [row.score for row in site.rows()] == [1, 13]
    assert site.counters() == {("CI1", 1): 2}


@without_servers
def test_drops_that_people_scored_are_not_counted_again(make: Make) -> None:
    site = make()
    images = drops()
    site.take(images)
    site.score(images[0], "zoe", 23, FIRST + timedelta(days=1))
    site.facility.push([scored(image, number) for number, image in enumerate(images)])
    assert site.counters() == {("CI1", 1): 6}


@everywhere
def test_scores_of_older_inspections_by_people_stay_and_stay_seen(make: Make) -> None:
    """The serious problem of Thielmann et al. (2023), section 4, cannot happen."""
    site = make()
    first, second = drops(1), drops(2)
    site.take([*first, *second])
    for image in first[:3]:
        site.score(image, "zoe", 13, FIRST + timedelta(days=1))
    people = site.rows(ours=False)
    site.facility.push([scored(image, number) for number, image in enumerate([*first, *second])])
    site.facility.push([scored(image, number, "clear") for number, image in enumerate([*first, *second])])
    assert site.rows(ours=False) == people
    assert [row.scoredby for row in site.shown().values()].count("zoe") == 3
    assert len(site.shown()) == len(PLATE)


def test_a_person_whose_clock_is_behind_the_imagers_is_seen_all_the_same(make: Make) -> None:
    site = make()
    image = drops()[0]
    site.take([image])
    site.facility.push([scored(image, 1)])
    site.score(image, "zoe", 1, FIRST - timedelta(hours=23))
    assert [row.scoredby for row in site.shown().values()] == ["zoe"]


STEP = st.tuples(
    st.sampled_from(["ours", "zoe", "tom"]),
    st.integers(1, 3),  # inspection
    st.integers(0, 1),  # drop
    st.integers(0, 200),  # hours since the step before
    st.integers(0, 23),  # hours by which the person's clock is behind the imager's
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=12))
def test_a_drop_that_a_person_scored_shows_a_persons_score_for_ever(
    steps: list[tuple[str, int, int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    own, ours = (begin_writing(create_engine(f"sqlite:///{folder / 'site.sqlite'}")) for _ in range(2))
    site = PlayedXtalTrak(own, ours, xtaltrak_tables({}, owner=""), SITE)
    images = {(inspection, drop): image_of(key((0, drop), inspection)) for inspection in (1, 2, 3) for drop in (0, 1)}
    site.take(list(images.values()))
    now, by_people = FIRST, set()
    for number, (who, inspection, drop, hours, behind) in enumerate(steps):
        image, now = images[inspection, drop], now + timedelta(hours=hours)
        if image.imaged_at is None or image.imaged_at > now:
            continue  # nobody scores what was not taken yet
        people = site.rows(ours=False)
        if who == "ours":
            outcome = "clear" if number % 2 else "other"
            site.facility.push([scored(image, inspection * 10 + drop, outcome, score_id=number)])
            assert site.rows(ours=False) == people
        else:
            site.score(image, who, 13, now - timedelta(hours=behind))
            by_people.add(drop)
        shown = {row.col - 1: row.scoredby for row in site.shown().values()}
        assert "ARTscore" not in {shown[each] for each in by_people}
    own.dispose()
    ours.dispose()


def test_every_statement_of_ours_reads_adds_or_changes_what_is_ours(make: Make) -> None:
    """A score is changed by number and our name only; of others' rows nothing but the counter of scored drops."""
    site = make()
    images = [*drops(1), *drops(2), *drops(1, plate="CI2")]
    site.take(images)
    site.score(images[0], "zoe", 23, FIRST)
    site.facility.check()
    site.facility.pull("", limit=3)
    site.facility.push([scored(image, number) for number, image in enumerate(images)])
    site.facility.push([scored(image, number, "clear") for number, image in enumerate(images)])
    parsed = [sqlglot.parse_one(text) for text in site.sent if "SAVEPOINT" not in text]
    writes = [statement for statement in parsed if statement.key != "select"]
    assert {statement.key for statement in writes} == {"insert", "update"}
    for statement in writes:
        table = statement.find(sqlglot.exp.Table)
        assert table is not None
        where: Any = statement.args.get("where")
        if statement.key == "insert":
            assert table.name == "I_SCORES"
        elif where.sql() == "WHERE 1 = 0":
            continue
        elif table.name == "I_SCORES":
            assert {column.name for column in where.find_all(sqlglot.exp.Column)} == {"SCOREID", "SCOREDBY"}
            assert isinstance(where.this, sqlglot.exp.And)
        else:
            assert table.name == "I_PLATE_INSPECTIONS"
            assert [each.this.name for each in statement.expressions] == ["DROPSCORECOUNT"]


def test_the_engine_refuses_whatever_is_no_statement_of_ours(make: Make) -> None:
    site = make()
    scores = site.tables.scores
    for statement in (scores.delete(), site.tables.images.insert(), site.tables.images.update().values(imagename="x")):
        with pytest.raises(DatabaseError, match="refused to run"), site.ours.begin() as connection:
            connection.execute(statement)
    with pytest.raises(DatabaseError, match="refused to run"), site.ours.begin() as connection:
        connection.exec_driver_sql("DELETE FROM I_SCORES")
    with pytest.raises(DatabaseError, match="refused to run"), site.ours.begin() as connection:
        connection.execute(text("DELETE FROM I_SCORES"))


@everywhere
def test_a_push_that_is_killed_before_its_end_leaves_nothing_and_is_done_again(make: Make) -> None:
    site = make()
    images = drops()
    site.take(images)
    given = [scored(image, number) for number, image in enumerate(images)]

    def cut(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE"):  # the counter, when the scores are written already
            raise OSError("connection reset by peer")

    event.listen(site.ours, "before_cursor_execute", cut)
    with pytest.raises(DatabaseError, match=r"cannot write scores: .*reset"):
        site.facility.push(given)
    assert (site.rows(), site.counters()) == ([], {("CI1", 1): 0})
    event.remove(site.ours, "before_cursor_execute", cut)
    assert site.facility.push(given) == ()
    assert (len(site.rows()), site.counters()) == (6, {("CI1", 1): 6})


@pytest.mark.parametrize("kind", DATABASES[2:], indirect=True)
def test_a_connection_that_the_server_kills_in_mid_push_leaves_nothing_half_done(make: Make) -> None:
    site = make()
    images = drops()
    site.take(images)
    given = [scored(image, number) for number, image in enumerate(images)]

    def kill(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE"):
            driver = connection.connection.dbapi_connection
            mariadb = connection.dialect.name == "mariadb"
            number = driver.thread_id() if mariadb else driver.info.backend_pid
            site.execute([text(f"KILL {number}" if mariadb else f"SELECT pg_terminate_backend({number})")])

    event.listen(site.ours, "before_cursor_execute", kill)
    with pytest.raises(DatabaseError, match="cannot write scores"):
        site.facility.push(given)
    event.remove(site.ours, "before_cursor_execute", kill)
    assert (site.rows(), site.counters()) == ([], {("CI1", 1): 0})
    assert site.facility.push(given) == ()
    assert (len(site.rows()), site.counters()) == (6, {("CI1", 1): 6})


@everywhere
def test_rows_that_the_database_refuses_hold_up_no_others(make: Make) -> None:
    site = make(never=31)
    images = [image_of(key((row, column))) for row in range(4) for column in range(5)]
    site.take(images)
    given = [scored(image, n, "phase_separation" if n % 10 == 3 else "clear") for n, image in enumerate(images)]
    refused = site.facility.push(given)
    assert sorted(each.image_id for each in refused) == [3, 13]
    assert all(images[each.image_id].path in each.why for each in refused)
    assert (len(site.rows()), site.counters()) == (18, {("CI1", 1): 18})


@without_servers
def test_what_was_deleted_there_is_refused_with_the_reason(make: Make) -> None:
    site = make()
    images = drops()
    site.take(images)
    gone = image_of(key(plate="CI9"))
    other = NewImage(key=key((1, 2)), path="/images/CI1/1/taken_anew.jpg")
    refused = site.facility.push([scored(images[0], 1), scored(gone, 2), scored(other, 3)])
    assert refused == (
        Refusal(
            image_id=2, why=f"{gone.path}: XtalTrak has no image of plate CI9, inspection 1; was it deleted there?"
        ),
        Refusal(
            image_id=3,
            why="/images/CI1/1/taken_anew.jpg: XtalTrak has no image of this name in well B03, drop 1 of plate CI1, "
            "inspection 1; was it deleted there?",
        ),
    )
    assert len(site.rows()) == 1


def test_an_answer_without_a_number_is_refused_unless_the_site_has_one(make: Make) -> None:
    site = make(replace(SITE, outcomes={40: "no_drop"}))
    first, second = drops()[:2]
    site.take([first, second])
    nothing, unread = (scored(image, number) for number, image in enumerate((first, second)))
    nothing = replace(nothing, score=replace(nothing.score, found=replace(nothing.score.found, score=None)))
    unread = replace(
        unread, score=replace(unread.score, found=replace(unread.score.found, score=None, error="cut off"))
    )
    refused = site.facility.push([nothing, unread])
    assert [each.why for each in refused] == [
        f"{second.path}: XtalTrak has no number for unreadable; name one in [facility.outcomes]"
    ]
    assert [row.score for row in site.rows()] == [40]


def test_a_site_may_keep_numbers_of_scores_as_texts_and_people_as_numbers(
    foreign_engine: Callable[[str], Engine],
) -> None:
    tables = xtaltrak_tables({}, owner="")
    tables.scores.c.score.type, tables.scores.c.scoredby.type = String(10), Integer()
    own, ours = foreign_engine("sqlite"), foreign_engine("sqlite")
    site = PlayedXtalTrak(own, ours, tables, replace(SITE, scored_by="42"))
    plain = XtalTrakDatabase(foreign_engine("sqlite"), xtaltrak_tables({}, owner=""), site.site, str)
    first, second = drops()[:2]
    site.take([first, second])
    with own.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO I_SCORES VALUES (1, 2, '13', '2026-01-06 08:30:00.000000', ?, 7)", (second.path[12:],)
        )
    for _ in range(2):
        assert plain.push([scored(first, 1), scored(second, 2)]) == ()
    with own.begin() as connection:
        rows = connection.exec_driver_sql("SELECT SCOREID, SCORE, SCOREDBY FROM I_SCORES ORDER BY SCOREID").all()
    assert [tuple(row) for row in rows] == [(1, "13", 7), (2, "23", 42), (3, "23", 42)]
    assert [(each.person, each.outcome) for each in plain.pull("", limit=9).scores] == [("7", "precipitate")]


def test_two_images_of_a_drop_in_one_channel_are_told(make: Make) -> None:
    site = make(replace(SITE, channels={"*": "visible"}))
    first = drops()[0]
    again = NewImage(key=first.key, path="/images/CI1/1/XX_again.jpg", imaged_at=FIRST)
    site.take([first, first, again])
    found = site.facility.pull("", limit=100)
    assert found.images == (first,)
    assert found.left_out == (
        f"/images/CI1/1/XX_again.jpg: {first.path} shows the same drop in the same channel; "
        "narrow the patterns in [facility.channels]",
    )


def test_a_path_whose_case_changed_is_found_and_scored(make: Make, tmp_path: Path) -> None:
    site = make(replace(SITE, image_path=f"{tmp_path}/Images/{{barcode}}/{{inspection}}/{{name}}"))
    image = drops()[0]
    site.take([image])
    real = tmp_path / "images" / "ci1" / "1" / image.path.rpartition("/")[2].upper()
    real.parent.mkdir(parents=True)
    real.touch()
    (found,) = site.facility.pull("", limit=100).images
    assert found.path == str(real)
    assert site.facility.push([scored(found, 1)]) == ()
    assert [row.imagename for row in site.rows()] == [image.path.rpartition("/")[2]]


@everywhere
def test_a_site_calls_its_tables_as_it_likes(make: Make) -> None:
    site = make(I_SCORES="WELL$SCORES", I_SCORES__SCOREDBY="User_Name", I_PLATE_INSPECTIONS="none", PLATES="none")
    images = drops()
    site.take(images)
    assert site.facility.check().missing == ()
    assert site.facility.push([scored(image, number) for number, image in enumerate(images)]) == ()
    assert site.facility.pull("", limit=100).facts == ()
    assert len(site.rows(ours=True)) == 6


@without_servers
def test_check_says_what_would_be_read_and_written_and_writes_nothing(make: Make) -> None:
    site = make()
    site.take(drops())
    checked = site.facility.check()
    assert checked.missing == ()
    assert "6 of the newest 6 images are visible" in checked.found
    assert (site.rows(), site.counters()) == ([], {("CI1", 1): 0})
    site.facility.push([scored(drops()[0], 1)])
    assert [row.scoreid for row in site.rows()] == [1]  # no number of the sequence was used


GRANTS = {
    "INSERT scores, with the sequence's numbers": (
        'GRANT INSERT ON "I_SCORES" TO {role}',
        'GRANT USAGE ON SEQUENCE "SCORE_SEQ" TO {role}',
    ),
    "UPDATE score and date of our own scores": ('GRANT UPDATE ("SCORE", "SCOREDATE") ON "I_SCORES" TO {role}',),
    "UPDATE the counter of scored drops": ('GRANT UPDATE ("DROPSCORECOUNT") ON "I_PLATE_INSPECTIONS" TO {role}',),
}
"""As docs/facility-xtaltrak.md has them for Oracle."""


@pytest.fixture
def role(make: Make) -> Iterator[tuple[PlayedXtalTrak, str]]:
    """A played site and an account there that may only read."""
    site, name = make(), f"artscore_{uuid.uuid4().hex[:8]}"
    tables = ", ".join(f'"{table.name}"' for table in site.tables.all)
    site.execute([text(f"CREATE ROLE {name} LOGIN"), text(f"GRANT SELECT ON {tables} TO {name}")])
    yield site, name
    site.execute([text(f"DROP OWNED BY {name}"), text(f"DROP ROLE {name}")])


@pytest.mark.parametrize("kind", DATABASES[2:3], indirect=True)
def test_the_documented_grants_are_enough_and_each_that_lacks_is_named(role: tuple[PlayedXtalTrak, str]) -> None:
    site, name = role
    image, other = drops()[:2]
    site.take([image, other])
    engine = create_engine(site.engine.url.set(username=name))
    facility = XtalTrakDatabase(engine, site.tables, site.site, str)
    lacking = dict(GRANTS)
    for what, statements in GRANTS.items():
        missing = facility.check().missing
        assert [line.split(": ")[0] for line in missing] == [f"right to {each}" for each in lacking]
        assert all("permission denied" in line for line in missing)
        with pytest.raises(DatabaseError, match="permission denied"):
            facility.push([scored(image, 1)])
        site.execute([text(statement.format(role=name)) for statement in statements])
        del lacking[what]
    assert facility.check().missing == ()
    assert facility.push([scored(image, 1)]) == ()
    assert facility.push([scored(image, 1, "clear"), scored(other, 2)]) == ()
    assert [row.score for row in site.rows()] == [1, 23]
    assert site.counters() == {("CI1", 1): 2}
    facility.close()


@without_servers
def test_check_names_tables_and_columns_that_are_not_there(make: Make, foreign_engine: Any, kind: str) -> None:
    site = make()
    tables = xtaltrak_tables({"I_SCORES.SCOREDATE": "DATED", "SAMPLES": "PROTEINS"}, owner=OWNERS.get(kind, ""))
    missing = XtalTrakDatabase(foreign_engine(kind), tables, site.site, str).check().missing
    found = [line.split(": ")[0].replace("CRYSTAL.", "") for line in missing]
    assert found == ["column I_SCORES.DATED", "table PROTEINS"]
    assert all("[facility.names]" in line for line in missing)


@pytest.mark.parametrize("kind", ["oracle"], indirect=True)
def test_a_lock_that_is_held_too_long_is_told_and_the_push_done_later(make: Make) -> None:
    site = make()
    image = drops()[0]
    site.take([image])
    with site.engine.begin() as connection:
        connection.execute(site.tables.counts.update().values(dropscorecount=5))  # type: ignore[union-attr]
        with pytest.raises(DatabaseError, match="cannot write scores"):
            site.facility.push([scored(image, 1)])
    assert site.facility.push([scored(image, 1)]) == ()
    assert (len(site.rows()), site.counters()) == (1, {("CI1", 1): 6})
