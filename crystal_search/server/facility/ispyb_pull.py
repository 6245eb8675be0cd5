"""What ISPyB knows, as we know it: images, people's scores, whose plates are, what is in their wells."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection

from crystal_search.class_schemes import class_labelled, scheme_named
from crystal_search.errors import CrystalSearchError
from crystal_search.images import SUFFIXES
from crystal_search.naming import barcode_of, is_barcode, utc_of
from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.facility_database import Pulled
from crystal_search.server.facility.ispyb_facts import conditions_of, facts_of
from crystal_search.server.facility.ispyb_places import PlateTypes, plate_types
from crystal_search.server.facility.ispyb_schema import IspybSite, IspybTables
from crystal_search.server.facility.pull_mark import PullMark
from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey

LOOK_BACK = 200  #: ids that are looked at again, since transactions end in another order than they began
RECENT = 20_000  #: the newest ids, whose scores by people are looked at each time
WINDOW = 20_000  #: older ids whose scores are looked at each time, one window after another
LOCATION = re.compile(r"[1-9][0-9]{0,5}")  #: of a drop, counted along wells and rows
SOMEBODY = "ISPyB"  #: who gave a score: it does not say
DRIFT = timedelta(seconds=1)  #: by which clocks may differ without notice
VMXI = scheme_named("vmxi-10")


@dataclass(frozen=True, slots=True, kw_only=True)
class IspybMark(PullMark):
    """How far images and people's scores were looked at."""

    system: ClassVar[str] = "ISPyB"

    image: int = 0  #: id of the last image that was looked at
    scores: int = 0  #: id up to which people's scores of older images were looked at in this round


@dataclass(frozen=True, slots=True)
class IspybReader:
    """Makes of ISPyB's rows what we know of images; one for each pull."""

    tables: IspybTables
    site: IspybSite
    here: Callable[[str], str]  #: what this machine calls a path of the database
    left_out: list[str] = field(default_factory=list)

    def pull(self, connection: Connection, mark: str, limit: int) -> Pulled:
        """Return what came after a mark."""
        begin = IspybMark.read(mark)
        rows = self._rows(connection, begin, limit)
        end = max([begin.image, *(row.id for row in rows)])
        more = sum(row.id > begin.image for row in rows) == limit
        types = plate_types(connection.execute(statements.container_types(self.tables)).all())
        images = self._images(rows, types, self._inspections(connection, rows))
        plates = {row.container: barcode for row in rows if (barcode := _barcode(row))}
        layouts = {row.container: types.of(row.type_id, row.type_name) for row in rows if row.container in plates}
        ahead = ahead_of_us(connection)
        scores, cursor = ([], begin.scores) if more else self._scores(connection, begin, end, ahead)
        return Pulled(
            images=tuple(images),
            facts=tuple(facts_of(connection, self.tables, plates, layouts)),
            conditions=tuple(conditions_of(connection, self.tables, plates, layouts)),
            scores=tuple(scores),
            left_out=tuple(dict.fromkeys(self.left_out)),
            mark=IspybMark(image=end, scores=cursor).text,
            more=more,
        )

    def _rows(self, connection: Connection, begin: IspybMark, limit: int) -> Sequence[Any]:
        """Return new images, after those before them that may have come late."""
        new = connection.execute(statements.images_between(self.tables, begin.image, None, limit)).all()
        if not begin.image:
            return new
        back = statements.images_between(self.tables, max(0, begin.image - LOOK_BACK), begin.image, LOOK_BACK)
        return [*connection.execute(back), *new]

    def _inspections(self, connection: Connection, rows: Sequence[Any]) -> Mapping[int, int]:
        """Return the number of each inspection: they are counted as their first images came."""
        containers = sorted({row.container for row in rows if row.container})
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in connection.execute(statements.first_images(self.tables, containers)) if containers else ():
            found[row.container].append((row.first, row.inspection))
        return {
            inspection: number
            for looks in found.values()
            for number, (_, inspection) in enumerate(sorted(looks), start=1)
        }

    def _images(self, rows: Iterable[Any], types: PlateTypes, numbers: Mapping[int, int]) -> Iterator[NewImage]:
        for row in rows:
            if reason := self._why_not(row, types, numbers):
                self.left_out.append(f"image {row.id}, {row.path}: {reason}")
                continue
            layout = types.of(row.type_id, row.type_name)
            if layout is None:
                continue
            well_row, column, drop = layout.place(int(row.location))
            key = WellKey(
                plate=_barcode(row),
                row=well_row,
                column=column,
                drop=drop,
                inspection=numbers[row.inspection],
                channel=self.site.channels[(row.light or "visible").casefold()],
            )
            yield NewImage(key=key, path=self.here(row.path), imaged_at=self._utc(row.taken))

    def _why_not(self, row: Any, types: PlateTypes, numbers: Mapping[int, int]) -> str:
        """Return why an image cannot be used; empty when it can."""
        location, light = row.location or "", (row.light or "visible").casefold()
        reasons = {
            f"its file ends in none of {', '.join(SUFFIXES)}": not (row.path or "").lower().endswith(tuple(SUFFIXES)),
            "its sample is on no plate with a barcode": not row.container or not _barcode(row),
            "it is of no inspection of its plate": row.inspection not in numbers,
            f"ContainerType does not say the wells of type {row.type_name!r}": not types.of(row.type_id, row.type_name),
            f"the location of its sample is {location!r}, no number from 1": not LOCATION.fullmatch(location),
            f"{row.light!r} inspections are of no channel; see [facility.channels]": light not in self.site.channels,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def _scores(
        self, connection: Connection, begin: IspybMark, newest: int, ahead: timedelta
    ) -> tuple[list[PulledScore], int]:
        """Return people's scores of the newest images, and of the next window of older ones, and where that ends."""
        recent = max(0, newest - RECENT)
        start = begin.scores if begin.scores < recent else 0
        end = min(recent, start + WINDOW)
        windows = [(recent, newest), (start, end)]
        rows = [row for window in windows for row in connection.execute(self._scored(*window))]
        return [score for row in rows if (score := self._score(row, ahead))], end

    def _scored(self, after: int, upto: int) -> statements.Query:
        return statements.scored_by_people(self.tables, after, upto)

    def _score(self, row: Any, ahead: timedelta) -> PulledScore | None:
        outcome = self._outcome(row.name or "")
        scored_at = self._utc(row.modifiedtimestamp or row.bltimestamp)
        if outcome is None:
            self.left_out.append(f"people's score {row.name!r} is no outcome; say which it is in [facility.outcomes]")
            return None
        when = scored_at - ahead if scored_at else datetime.fromtimestamp(0, UTC)  # unknown: it hides no other
        return PulledScore(path=self.here(row.path), person=SOMEBODY, outcome=outcome, scored_at=when)

    def _outcome(self, name: str) -> str | None:
        if name in self.site.outcomes:
            return self.site.outcomes[name]
        try:
            return class_labelled(name, VMXI).outcome
        except CrystalSearchError:
            return None

    def _utc(self, time: datetime | None) -> datetime | None:
        return utc_of(time, self.site.time_zone) if time else None


def ahead_of_us(connection: Connection) -> timedelta:
    """Return by how much the database's clock is ahead of ours; less than a second is how long the answer took."""
    if connection.dialect.name == "sqlite":
        return timedelta()
    there: datetime = connection.execute(statements.clock()).scalar_one()
    ahead = there.replace(tzinfo=UTC) - datetime.now(UTC)
    return ahead if abs(ahead) >= DRIFT else timedelta()


def _barcode(row: Any) -> str:
    """Return what a plate is called: its barcode, or else its name."""
    found = barcode_of((row.barcode or row.code or "").strip())
    return found if is_barcode(found) else ""
