"""A played XtalTrak on whatever database, with people who score in it, and a log of every statement of ours."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event, select

from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.facility import xtaltrak_statements as statements
from crystal_search.server.facility.xtaltrak_database import XtalTrakDatabase
from crystal_search.server.facility.xtaltrak_played import add_images, make_tables
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, XtalTrakTables
from crystal_search.server.imaging.imaging_database import AutoScore, ScoredImage
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.wells import WellKey
from tests.recipes import made_by

FIRST = datetime(2026, 1, 5, 8, 30, 0, tzinfo=UTC)  #: when the first inspection of a plate was
NAMES = {"visible": "RMM3_{well}_{drop}_{inspection}_HF_99.jpg", "uv": "RMM3_{well}_{drop}_{inspection}_UV_99.jpg"}


def key(
    well: tuple[int, int] = (0, 0), inspection: int = 1, *, plate: str = "CI1", drop: int = 1, channel: str = "visible"
) -> WellKey:
    return WellKey(plate=plate, row=well[0], column=well[1], drop=drop, inspection=inspection, channel=channel)


def image_of(where: WellKey, *, days: float | None = None) -> NewImage:
    """An image as an imager takes it, a week after the last one."""
    name = NAMES[where.channel].format(well=where.well, drop=where.drop, inspection=where.inspection)
    taken = FIRST + timedelta(days=7 * (where.inspection - 1) if days is None else days)
    return NewImage(key=where, path=f"/images/{where.plate}/{where.inspection}/{name}", imaged_at=taken)


def scored(image: NewImage, number: int, outcome: str = "crystal_harvestable", *, score_id: int = 0) -> ScoredImage:
    """A score of ours, as the ledger has it."""
    found = ImageScore(
        height_px=960,
        width_px=1280,
        score=RankedScore(outcome=outcome, probability=0.9, above_threshold=True),
        class_probabilities=(0.1, *[0.075] * 12),
    )
    stored = StoredImage(id=number, key=image.key, path=image.path, imaged_at=image.imaged_at)
    auto = AutoScore(image_id=number, work_unit="unit-1", recipe=made_by("wells-1"), scored_at=FIRST, found=found)
    return ScoredImage(image=stored, score=auto, score_id=score_id or number)


class PlayedXtalTrak:
    """A site's database as its own programs see it."""

    def __init__(self, own: Engine, ours: Engine, tables: XtalTrakTables, site: XtalTrakSite) -> None:
        self.engine, self.tables, self.site = own, tables, site
        self.sent: list[str] = []  #: every statement of ours
        event.listen(ours, "before_cursor_execute", self._note)
        self.ours = ours
        self.facility = XtalTrakDatabase(ours, tables, site, lambda path: path)
        make_tables(own, tables, site.sequence)
        self._drops = 0

    def _note(self, _connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
        self.sent.append(text)

    def take(self, images: Sequence[NewImage]) -> None:
        """Have an imager take pictures."""
        with self.engine.begin() as connection:
            add_images(connection, self.tables, images, first=self._drops + 1)
        self._drops += len({(each.key.plate, each.key.inspection, each.key.well, each.key.drop) for each in images})

    def score(self, image: NewImage, person: str | None, number: int, at: datetime, *, name: str | None = None) -> None:
        """Have a person score an image, as XtalTrak's own program does it: a row, and the counter."""
        with self.engine.begin() as connection:
            drop = connection.scalar(
                select(self.tables.images.c.inspectid).where(
                    self.tables.images.c.imagename == image.path.rpartition("/")[2]
                )
            )
            row = {
                "inspectid": drop,
                "imagename": name if name is not None else image.path.rpartition("/")[2],
                "score": number,
                "scoredate": at.replace(tzinfo=None),
                "scoredby": person,
            }
            connection.execute(statements.add_score(self.tables, self.site.sequence), [row])
            if self.tables.counts is not None:
                counted = {"of_plate": image.key.plate, "of_number": image.key.inspection, "drops": 1}
                connection.execute(statements.count_drops(self.tables.counts), [counted])

    def rows(self, *, ours: bool | None = None) -> list[Any]:
        """Return the rows of the score table; ours, others', or all."""
        with self.engine.begin() as connection:
            found = connection.execute(select(self.tables.scores).order_by(self.tables.scores.c.scoreid)).all()
        return [row for row in found if ours is None or (row.scoredby == self.site.scored_by) == ours]

    def shown(self) -> dict[tuple[Any, ...], Any]:
        """Return what XtalTrak shows of each drop: the score with the latest date, at whatever inspection."""
        drop, score = self.tables.inspections.c, self.tables.scores.c
        query = (
            select(drop.barcodeid, drop.i_row, drop.col, drop.subwell, score.score, score.scoredby, score.scoredate)
            .join(self.tables.inspections, drop.inspectid == score.inspectid)
            .order_by(score.scoredate, score.scoreid)
        )
        with self.engine.begin() as connection:
            return {tuple(row[:4]): row for row in connection.execute(query)}

    def counters(self) -> dict[tuple[str, int], int]:
        """Return how many drops of each inspection of a plate have a score, as XtalTrak counts them."""
        count = self.tables.counts
        if count is None:
            return {}
        with self.engine.begin() as connection:
            rows = connection.execute(select(count.c.barcodeid, count.c.inspectnumber, count.c.dropscorecount)).all()
        return {(row[0], row[1]): row[2] for row in rows}

    def execute(self, statements: Iterable[Any]) -> None:
        """Run statements as the site's administrator."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)
