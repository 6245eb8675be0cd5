"""The ledger of scores of an imaging database in SQL, and what the overview of plates shows of it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection

from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.server.imaging import count_statements, schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import batches, drop_scores
from crystal_search.server.imaging.hand_statements import newest_by_hand
from crystal_search.server.imaging.imaging_database import Age, AutoScore, DropScores, ManualScore, PlateSummary, Recipe
from crystal_search.server.imaging.rescoring_statements import images_scored_by
from crystal_search.server.imaging.sql_comments import comments_by_image
from crystal_search.server.imaging.sql_counts import touch
from crystal_search.server.imaging.sql_images import discount
from crystal_search.server.imaging.sql_marks import marks_by_image
from crystal_search.server.imaging.sql_rows import (
    auto_score,
    auto_values,
    manual_score,
    manual_values,
    postponement_of,
    recipe_of,
    score_of,
    stored_image,
    time_of,
    time_text,
)
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import (
    BATCH,
    SqlTransactions,
    insert,
    readouts_among_recipes,
    recipe_id_of,
    rows_of,
)
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.imaging.waiting_statements import postponements_of_inspection, taking_up


class SqlLedger(SqlTransactions):
    """`Ledger` in SQL."""

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""
        wanted = list(scores)
        return self._write("add automatic scores", lambda connection: _add_scores(connection, wanted))

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score to the ledger.

        Raises
        ------
        UnknownNameError
            If the outcome is none.
        """
        if score.outcome != NO_DROP:
            outcome_named(score.outcome)
        row = manual_values(score)

        def work(connection: Connection) -> None:
            connection.execute(schema.score.insert().values(row))
            touch(connection, [score.image_id])

        self._write("add a person's score", work)

    def take_back(self, score_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a score back, which stays in the ledger and counts no more.

        Return whether that was done: it must be the one that this person gave its image last of those that count.
        """
        row = {"score_id": score_id, "taken_back_at": time_text(at)}

        def work(connection: Connection) -> bool:
            if connection.scalar(statements.last_that_stands(score_id, person)) != score_id:
                return False
            connection.execute(schema.score_taken_back.insert().values(row))
            touch(connection, connection.scalars(statements.image_of_score(score_id)).all())
            return True

        return self._write("take a score back", work)

    def scored(self, image_ids: Collection[int], recipe: Recipe) -> set[int]:
        """Return those of these images that have an automatic score by `recipe`."""

        def work(connection: Connection) -> set[int]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            found = rows_of(connection, image_ids, lambda ids: statements.scored_among(ids, recipe_id))
            return {row.image_id for row in found}

        return self._read("look up scores", work)

    def recipes(self) -> list[Recipe]:
        """Return every recipe that images were scored by, the first one first."""
        rows = self._read("read the recipes", lambda c: c.execute(statements.recipes()).all())
        return [recipe for recipe in map(recipe_of, sorted(rows, key=lambda row: row.id)) if recipe.readout is None]

    def scored_images(self, recipe: Recipe, *, older_than: Age | None = None, limit: int) -> list[StoredImage]:
        """Return visible-light images whose last automatic score that counts is by `recipe`, the newest first."""

        def work(connection: Connection) -> list[StoredImage]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            return [stored_image(row) for row in connection.execute(images_scored_by(recipe_id, older_than, limit))]

        return self._read("look for scored images", work)

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, in the order in which they came, whatever the clocks said."""
        rows = self._read("read the ledger", lambda c: c.execute(statements.scores_of_image(image_id)).all())
        return [score_of(row) for row in rows]

    def drops(
        self,
        plate: str,
        *,
        inspection: int,
        channel: str = "visible",
        readouts: Collection[str] = (),
        images: Collection[int] | None = None,
    ) -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last, by row, column, drop.

        Of readouts those with these hashes, by each recipe, in the order in which they came. Where `images` are
        named, only these are read.
        """
        where = (plate, inspection, channel)
        these = () if images is None else statements.among(sorted(images))

        def work(connection: Connection) -> list[DropScores]:
            rows = connection.execute(statements.images_of_inspection(*where).where(*these))
            comments, marks = comments_by_image(connection, where), marks_by_image(connection, where)
            newest = _newest_scores(connection, (*statements.of_inspection(*where), *these), readouts)
            put_off = connection.execute(postponements_of_inspection(*where))
            waiting = {row.image_id: postponement_of(row) for row in put_off}
            there = map(stored_image, rows.all())
            told = [drop_scores(each, newest[each.id], waiting.get(each.id)) for each in there]
            said = comments.keys() | marks.keys()  # of few drops: the others need no copy
            return [
                replace(drop, comments=comments.get(drop.image.id, ()), marks=marks.get(drop.image.id, ()))
                if drop.image.id in said
                else drop
                for drop in told
            ]

        return self._read(f"read plate {plate}", work)

    def recipes_at(self, plate: str, *, inspection: int, channel: str = "visible") -> list[Recipe]:
        """Return the recipes by which images of an inspection have a score that counts, the first one first."""
        query = statements.recipes_of_inspection(plate, inspection, channel)
        return [recipe_of(row) for row in self._read("read the recipes of a plate", lambda c: c.execute(query).all())]

    def scores_by(
        self, recipe: Recipe, plate: str, *, inspection: int, channel: str = "visible"
    ) -> dict[int, AutoScore]:
        """Return by image of an inspection the last score by a recipe that counts."""

        def work(connection: Connection) -> dict[int, AutoScore]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            query = statements.scores_of_inspection_by(recipe_id, plate, inspection, channel)
            return {row.image_id: auto_score(row) for row in connection.execute(query)}

        return self._read(f"read scores of plate {plate}", work)

    def newest_scores(self, image_ids: Collection[int], *, readouts: Collection[str] = ()) -> dict[int, DropScores]:
        """Return by id those of these images that there are with the scores that came last."""

        def work(connection: Connection) -> dict[int, DropScores]:
            images = {row.id: stored_image(row) for row in rows_of(connection, image_ids, statements.images_by_ids)}
            newest: dict[int, list[AutoScore | ManualScore]] = {}
            for batch in batches(sorted(images), BATCH):
                newest |= _newest_scores(connection, statements.among(batch), readouts)
            return {each: drop_scores(image, newest.get(each, []), None) for each, image in images.items()}

        return self._read("read scores", work)

    def newest_by_hand(self, *, channel: str = "visible") -> list[tuple[StoredImage, ManualScore]]:
        """Return every image of a channel that people scored, by id, with the score that came last of theirs."""

        def work(connection: Connection) -> list[tuple[StoredImage, ManualScore]]:
            told = {row.image_id: manual_score(row) for row in connection.execute(newest_by_hand())}
            rows = rows_of(connection, sorted(told), statements.images_by_ids)
            return [(stored_image(row), told[row.id]) for row in rows if row.channel == channel]

        found = self._read("read what people said", work)
        return sorted(found, key=lambda pair: pair[0].id)

    def plates(self, *, plate: str | None = None) -> list[PlateSummary]:
        """Return every plate, by barcode, or only the one that is named; none without images."""
        rows = self._read("read the plates", lambda c: c.execute(statements.inspections(plate)).all())
        parts = defaultdict(list)
        for row in rows:
            parts[row.barcode].append(row)
        return [_summary(barcode, parts[barcode]) for barcode in sorted(parts)]

    def discount_scores(self, image_ids: Collection[int]) -> None:
        """Have the automatic scores that these images have, and what failed work units say of them, count no more."""
        self._write("take scores back", lambda connection: discount(connection, image_ids))

    def waits_longest(self, *, put_off: bool = True) -> datetime | None:
        """Return since when the visible-light image waits to be scored that waits longest; None when none does."""
        query = statements.waits_longest(put_off=put_off)
        return time_of(self._read("look who waits longest", lambda c: c.scalar(query)) or "")


def _newest_scores(
    connection: Connection, there: Sequence[ColumnElement[bool]], readouts: Collection[str]
) -> defaultdict[int, list[AutoScore | ManualScore]]:
    """Return by image the scores that came last of each kind, those of readouts of the ones with these hashes."""
    by_readouts = readouts_among_recipes(connection)
    wanted = [recipe_id for recipe_id, sha256 in by_readouts.items() if sha256 in readouts]
    others = [recipe_id for recipe_id in by_readouts if recipe_id not in wanted]
    found: defaultdict[int, list[AutoScore | ManualScore]] = defaultdict(list)
    for row in connection.execute(statements.newest_scores(there, wanted, others)):
        found[row.image_id].append(score_of(row))
    return found


def _add_scores(connection: Connection, scores: Sequence[AutoScore]) -> int:
    """Add the automatic scores that are not there yet, and note them at their images and inspections."""
    wanted: dict[tuple[int, str], AutoScore] = {}
    for score in scores:
        wanted.setdefault((score.image_id, score.work_unit), score)
    there = {tuple(row) for row in rows_of(connection, _ids(scores), statements.machine_scores_among)}
    new = [score for key, score in wanted.items() if key not in there]
    recipes = {recipe: recipe_id_of(connection, recipe) for recipe in dict.fromkeys(score.recipe for score in new)}
    insert(connection, schema.score, [auto_values(score, recipes[score.recipe]) for score in new])
    for recipe, recipe_id in recipes.items():
        if recipe.readout is None:
            _note_scores(connection, [score for score in new if score.recipe == recipe], recipe_id)
    return len(new)


def _ids(scores: Iterable[AutoScore]) -> list[int]:
    return sorted({score.image_id for score in scores})


def _note_scores(connection: Connection, scores: Sequence[AutoScore], recipe_id: int) -> None:
    """Note new scores by one recipe at their images, and count those scored for the first time."""
    times: dict[int, str] = {}
    shown = {row.id: row for row in rows_of(connection, _ids(scores), count_statements.inspections_of_images)}
    for score in scores:
        image = shown.get(score.image_id)
        if image and (not score.version or image.sha256 in ("", score.version.sha256)):
            times[score.image_id] = max(times.get(score.image_id, ""), time_text(score.scored_at))
    members: dict[InspectionKey, list[int]] = defaultdict(list)
    for image_id in sorted(times):
        image = shown[image_id]
        members[image.plate_id, image.inspection, image.channel].append(image_id)
    for key, ids in sorted(members.items()):
        first = connection.execute(statements.first_scored(ids, recipe_id)).rowcount
        if first:
            connection.execute(count_statements.noting_news(key, time_text(datetime.now(UTC))))
        connection.execute(statements.scored_again(ids, recipe_id))
        for batch in batches(ids, BATCH):
            connection.execute(taking_up(batch))
        connection.execute(count_statements.counting_scores(key, first, max(times[image_id] for image_id in ids)))
    touch(connection, shown.keys() - times.keys())  # of another picture: what was said before counts no more


def _summary(barcode: str, parts: Sequence[Any]) -> PlateSummary:
    return PlateSummary(
        plate=barcode,
        inspections=tuple(sorted({row.number for row in parts})),
        channels=tuple(sorted({row.channel for row in parts})),
        images=sum(row.images for row in parts),
        scored=sum(row.scored for row in parts),
        last_scored_at=time_of(max(row.last_scored_at for row in parts)),
    )
