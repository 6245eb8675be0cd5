"""What is kept of facilities' own databases, in SQL."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import facility_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.facility_records import (
    FacilityState,
    PulledScore,
    PulledScores,
    Push,
    PushedScore,
)
from crystal_search.server.imaging.imaging_database import ManualScore, ScoredImage, ToPush
from crystal_search.server.imaging.push_rules import again_at, last_given, new_scores, sorted_out
from crystal_search.server.imaging.sql_counts import touch
from crystal_search.server.imaging.sql_rows import (
    AnyRow,
    Values,
    auto_score,
    manual_score,
    manual_values,
    stored_image,
    time_of,
    time_text,
)
from crystal_search.server.imaging.sql_statements import images_by_ids, images_by_path
from crystal_search.server.imaging.sql_transactions import (
    SqlTransactions,
    insert,
    insert_one,
    readouts_among_recipes,
    rows_of,
)


class SqlFacility(SqlTransactions):
    """`FacilityRecords` in SQL."""

    def facility_state(self, facility: str) -> FacilityState:
        """Return how far a facility's database was looked at."""

        def work(connection: Connection) -> FacilityState:
            known = connection.execute(statements.facility_named(facility)).first()
            if known is None:
                return FacilityState()
            return FacilityState(
                pull_mark=known.pull_mark,
                pulled_at=time_of(known.pulled_at),
                pushed_at=time_of(known.pushed_at),
                refused=connection.scalar(statements.count_refused(known.id)) or 0,
            )

        return self._read("read what is known of a facility", work)

    def note_pulled(self, facility: str, mark: str, *, now: datetime) -> None:
        """Note where the next pull begins."""

        def work(connection: Connection) -> None:
            number = _facility_id(connection, facility)
            connection.execute(statements.marking(number, pull_mark=mark, pulled_at=time_text(now)))

        self._write("note a pull", work)

    def add_pulled_scores(self, facility: str, scores: Sequence[PulledScore]) -> PulledScores:
        """Add people's scores from a facility to the ledger in one transaction, each once."""
        return self._write("add people's scores", lambda c: _add_pulled(c, facility, scores))

    def scores_to_push(self, facility: str, *, now: datetime, limit: int, before: datetime | None = None) -> ToPush:
        """Return automatic scores that a facility was not given yet, or refused and may take by now."""

        def work(connection: Connection) -> ToPush:
            known = connection.execute(statements.facility_named(facility)).first()
            number, mark = (known.id, known.push_mark) if known else (0, 0)
            newest = connection.scalar(statements.newest_machine_score()) or 0  # first, lest one come between
            rows = list(connection.execute(statements.scores_refused(number, now, limit // 2, before)))
            readouts = [*readouts_among_recipes(connection)]
            rows += connection.execute(statements.scores_not_looked_at(number, mark, readouts, limit - len(rows))).all()
            images = {
                row.id: stored_image(row) for row in rows_of(connection, [row.image_id for row in rows], images_by_ids)
            }
            scores = [
                ScoredImage(image=images[row.image_id], score=auto_score(row), score_id=row.id, tries=row.tries)
                for row in rows
            ]
            scores = [each for each in scores if each.score.recipe.readout is None]  # one's first may come just now
            is_all = len(rows) < limit and newest > mark
            return replace(sorted_out(scores), looked_to=newest if is_all else 0)

        return self._read("look for scores to give to a facility", work)

    def note_pushed(self, facility: str, pushes: Sequence[Push], *, now: datetime, looked_to: int = 0) -> None:
        """Note in one transaction what became of scores, and how far they were looked at."""

        def work(connection: Connection) -> None:
            number = _facility_id(connection, facility)
            if pushes:
                _note_pushed(connection, number, pushes, now)
            connection.execute(statements.looking_further(number, looked_to))

        if pushes or looked_to:
            self._write("note a push", work)

    def pushes(self, facility: str, *, refused: bool = False, last: int = 1000) -> list[PushedScore]:
        """Return scores that a facility was given, the last first; or, when `refused`, those that it is given again."""

        def work(connection: Connection) -> list[PushedScore]:
            known = connection.execute(statements.facility_named(facility)).first()
            number = known.id if known else 0
            rows = connection.execute(statements.pushes_of(number, last, refused=refused))
            return [_pushed(row) for row in rows]

        return self._read("read what a facility was given", work)


def _facility_id(connection: Connection, name: str) -> int:
    """Return the id of a facility, recorded now when it is new."""
    known = connection.scalar(statements.facility_named(name))
    if known is not None:
        return int(known)
    values = {"name": name, "pull_mark": "", "pulled_at": "", "push_mark": 0, "pushed_at": ""}
    return insert_one(connection, schema.facility.insert().values(values))


def _add_pulled(connection: Connection, facility: str, scores: Sequence[PulledScore]) -> PulledScores:
    ids = {row.path: row.id for row in rows_of(connection, sorted({each.path for each in scores}), images_by_path)}
    there: dict[int, list[ManualScore]] = defaultdict(list)
    for row in rows_of(connection, sorted(ids.values()), statements.people_of):
        there[row.image_id].append(manual_score(row))
    found = [(ids[each.path], each) for each in scores if each.path in ids]
    new = new_scores(facility, found, there)
    insert(connection, schema.score, [manual_values(each) for each in new])
    touch(connection, {each.image_id for each in new})
    unknown = tuple(sorted({each.path for each in scores} - ids.keys()))
    return PulledScores(added=len(new), known=len(found) - len(new), unknown=unknown)


def _note_pushed(connection: Connection, number: int, pushes: Sequence[Push], now: datetime) -> None:
    rows = {each.score_id: _push_values(number, each, now) for each in pushes}
    found = rows_of(connection, list(rows), lambda ids: statements.pushes_noted(number, ids))
    noted = {row.score_id for row in found}
    insert(connection, schema.pushed_score, [row for score_id, row in rows.items() if score_id not in noted])
    for score_id in noted & rows.keys():
        connection.execute(statements.noting_push(number, score_id, rows[score_id]))
    _give_up_older(connection, number, pushes)
    connection.execute(statements.looking_further(number, max(rows)))
    connection.execute(statements.marking(number, pushed_at=time_text(now)))


def _give_up_older(connection: Connection, number: int, pushes: Sequence[Push]) -> None:
    """Have scores that were refused not be given again when a later one of their image was."""
    last = last_given(pushes)
    for row in list(rows_of(connection, list(last), lambda ids: statements.waiting_of(number, ids))):
        if row.score_id < last[row.image_id]:
            connection.execute(statements.noting_push(number, row.score_id, {"next_at": ""}))


def _push_values(facility_id: int, push: Push, now: datetime) -> Values:
    waits = push.refused and push.again
    return {
        "facility_id": facility_id,
        "score_id": push.score_id,
        "image_id": push.image_id,
        "pushed_at": time_text(now),
        "refused": push.refused,
        "tries": push.tries,
        "next_at": time_text(again_at(push.tries, now)) if waits else "",
    }


def _pushed(row: AnyRow) -> PushedScore:
    return PushedScore(
        score_id=row.score_id,
        path=row.path,
        outcome=row.outcome,
        pushed_at=datetime.fromisoformat(row.pushed_at),
        refused=row.refused,
        tries=row.tries,
        next_at=time_of(row.next_at),
    )
