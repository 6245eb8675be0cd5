"""What Rock Maker knows, as we know it: images, conditions, people's scores, whose plates are."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection

from crystal_search.name_parts import row_of
from crystal_search.naming import Naming, is_barcode, utc_of
from crystal_search.server.facility import rockmaker_statements as statements
from crystal_search.server.facility.facility_database import Pulled
from crystal_search.server.facility.pull_mark import PullMark
from crystal_search.server.facility.real_names import RealNames
from crystal_search.server.facility.rockmaker_schema import CONDITIONS, OWNERS, SCORES, RockMakerSite, RockMakerTables
from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey

LOOK_BACK = 1000  #: so many numbers are looked at again, since transactions end in another order than they began
BATCH = 500  #: values in one condition; SQL Server takes 2100 in a statement
SOMEBODY = "Rock Maker"  #: who gave a score: the schema does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class RockMakerMark(PullMark):
    """How far images and scores were looked at, by their numbers."""

    system: ClassVar[str] = "Rock Maker"

    image: int = 0
    highest: int = 0  #: number of an image that was ever seen
    score: int = 0
    highest_score: int = 0

    def after(self, rows: Sequence[Any], scored: Sequence[Any], *, more: bool) -> "RockMakerMark":
        """Return the next mark; when there is no more, the last images and scores are looked at again the next time."""
        highest = max([self.highest, *(row.id for row in rows)])
        highest_score = max([self.highest_score, *(row.id for row in scored)])
        image, score = (each[-1].id if each else old for each, old in ((rows, self.image), (scored, self.score)))
        if not more:
            image, score = max(0, highest - LOOK_BACK), max(0, highest_score - LOOK_BACK)
        return RockMakerMark(image=image, highest=highest, score=score, highest_score=highest_score)


class RockMakerReader:
    """Makes of Rock Maker's rows what we know of images; one for each pull."""

    def __init__(self, tables: RockMakerTables, site: RockMakerSite, here: Callable[[str], str]) -> None:
        self._tables, self._site, self._here = tables, site, here
        self._naming = Naming(profiles=tuple((name.casefold(), channel) for name, channel in site.channels.items()))
        self._names = RealNames()
        self._numbers: dict[int, int] = {}  #: batch -> number of the inspection
        self._left_out: Counter[str] = Counter()

    def pull(self, connection: Connection, mark: str, limit: int) -> Pulled:
        """Return what came after a mark, images and scores in one look."""
        begin = RockMakerMark.read(mark)
        rows = connection.execute(statements.new_images(self._tables, begin.image, limit)).all()
        scored: Sequence[Any] = ()
        if self._tables.have(SCORES) and len(rows) < limit:  # a score may speak of any image, so all images come first
            scored = connection.execute(statements.new_scores(self._tables, begin.score, limit)).all()
        more = len(rows) == limit or len(scored) == limit
        shown = self._scored_images(connection, scored)
        self._number(connection, {row.plate for row in (*rows, *shown)})
        barcodes = {row.plate: barcode_of(row) for row in rows}
        return Pulled(
            images=tuple(self._images(rows)),
            facts=tuple(self._facts(connection, barcodes)),
            conditions=tuple(self._conditions(connection, barcodes)),
            scores=tuple(self._scores(scored, shown)),
            left_out=tuple(line if n == 1 else f"{line} ({n} times)" for line, n in self._left_out.items()),
            mark=begin.after(rows, scored, more=more).text,
            more=more,
        )

    def image_of(self, row: Any) -> NewImage | None:
        """Return the image of a row, where its profile, place and folder are known."""
        channel = self._channel(row)
        path = self._here(path_of(row, self._site.extension))
        barcode, letter = barcode_of(row), str(row.rowletter or "").strip()
        if not channel:
            why = f"images by profile {row.profile_name!r} ({row.profile})"
            self._left_out[f"{why}: no channel is said of it in [facility.channels]"] += 1
        elif not path.startswith("/"):
            self._left_out[
                f"images in {row.basepath}: no folder of this machine is said of it in [facility.folders]"
            ] += 1
        elif not is_barcode(barcode) or not letter.isalpha() or row.columnnumber < 1 or row.dropnumber < 1:
            self._left_out[f"{path}: no place on a plate"] += 1
        else:
            key = WellKey(
                plate=barcode,
                row=row_of(letter),
                column=row.columnnumber - 1,
                drop=row.dropnumber,
                inspection=self._numbers.get(row.batch, 1),
                channel=channel,
            )
            taken = utc_of(row.dateimaged, self._site.time_zone) if row.dateimaged else None
            return NewImage(key=key, path=self._names.real(path), imaged_at=taken)
        return None

    def _channel(self, row: Any) -> str:
        by_name = self._naming.profile_channel(str(row.profile_name or ""))
        return by_name or self._naming.profile_channel(str(row.profile))

    def _images(self, rows: Iterable[Any]) -> Iterable[NewImage]:
        found: dict[WellKey, NewImage] = {}
        for row in rows:
            image = self.image_of(row)
            if image and found.setdefault(image.key, image).path != image.path:
                self._left_out[f"{image.path}: {found[image.key].path} shows the same drop in the same channel"] += 1
        return found.values()

    def _number(self, connection: Connection, plates: Iterable[int]) -> None:
        """Let the order of a plate's batches be the numbers of its inspections."""
        last: Counter[int] = Counter()
        for row in self._all(connection, sorted(plates), statements.batches):
            last[row.plateid] += 1
            self._numbers[row.id] = last[row.plateid]

    def _facts(self, connection: Connection, barcodes: dict[int, str]) -> Iterable[PlateFacts]:
        if not self._tables.have(OWNERS):
            return
        for row in self._all(connection, sorted(barcodes), statements.owners):
            yield PlateFacts(
                plate=barcodes[row.id],
                project=row.project or "",
                owner=row.person or "",
                plate_type=row.container or "",
            )

    def _conditions(self, connection: Connection, barcodes: dict[int, str]) -> Iterable[Condition]:
        if not self._tables.have(CONDITIONS):
            return
        wells: dict[tuple[int, str, int], list[Ingredient]] = defaultdict(list)
        for row in self._all(connection, sorted(barcodes), statements.ingredients):
            part = Ingredient(
                name=row.longname,
                concentration=row.concentration,
                unit=row.concentrationunits or "",
                ph=row.ph,
                role=(row.role or "").casefold(),
            )
            wells[row.plateid, row.rowletter.strip(), row.columnnumber].append(part)
        for (plate, letter, column), parts in wells.items():
            yield Condition(plate=barcodes[plate], row=row_of(letter), column=column - 1, ingredients=tuple(parts))

    def _scored_images(self, connection: Connection, scored: Sequence[Any]) -> list[Any]:
        """Return the rows of the images of which people's scores speak."""
        found: list[Any] = []
        for begin in range(0, len(scored), BATCH):
            part = scored[begin : begin + BATCH]
            drops, batches = ({getattr(row, name) for row in part} for name in ("welldropid", "imagebatchid"))
            found += connection.execute(statements.images_of(self._tables, sorted(drops), sorted(batches)))
        return found

    def _scores(self, scored: Sequence[Any], shown: Sequence[Any]) -> Iterable[PulledScore]:
        images = {}
        for row in shown:
            if (row.welldrop, row.batch) not in images and self._channel(row) == "visible":
                images[row.welldrop, row.batch] = self.image_of(row)
        for row in scored:
            outcome = self._site.outcomes.get(row.name)
            image = images.get((row.welldropid, row.imagebatchid))
            if outcome is None:
                self._left_out[f"scores {row.name!r}: no outcome is said of it in [facility.outcomes]"] += 1
            elif image is None or image.imaged_at is None:
                self._left_out[f"score {row.id} of drop {row.welldropid}: it has no image, or this no date"] += 1
            else:
                yield PulledScore(path=image.path, person=SOMEBODY, outcome=outcome, scored_at=image.imaged_at)

    def _all(self, connection: Connection, values: Sequence[int], statement: Callable[..., Any]) -> Iterable[Any]:
        for begin in range(0, len(values), BATCH):
            yield from connection.execute(statement(self._tables, values[begin : begin + BATCH]))


def barcode_of(row: Any) -> str:
    """Return what we call a plate: its barcode, or its number where it has none."""
    return (row.barcode or "").strip() or str(row.plate)


def path_of(row: Any, extension: str) -> str:
    r"""Return the path of an image's file, as the database's machine calls it.

    >>> from types import SimpleNamespace
    >>> row = dict(plate=10054, batch=7, wellnumber=12, profile=1, dropnumber=2, region=55, shortname="ef")
    >>> path_of(SimpleNamespace(basepath="\\\\imager\\Storage\\", **row), ".jpg")
    '\\\\imager\\Storage\\WellImages\\54\\plateID_10054\\batchID_7\\wellNum_12\\profileID_1\\d2_r55_ef.jpg'
    """
    base = str(row.basepath)
    sign = "\\" if "\\" in base else "/"
    parts = (
        base.rstrip(sign),
        "WellImages",
        str(row.plate % 1000),
        f"plateID_{row.plate}",
        f"batchID_{row.batch}",
        f"wellNum_{row.wellnumber}",
        f"profileID_{row.profile}",
        f"d{row.dropnumber}_r{row.region}_{row.shortname}{extension}",
    )
    return sign.join(parts)
