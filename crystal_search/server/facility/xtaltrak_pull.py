"""What XtalTrak knows, as we know it: images, people's scores, whose plates are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from sqlalchemy import Connection

from crystal_search.naming import is_barcode, utc_of
from crystal_search.outcomes import OUTCOMES
from crystal_search.server.facility import xtaltrak_statements as statements
from crystal_search.server.facility.facility_database import Pulled
from crystal_search.server.facility.pull_mark import PullMark
from crystal_search.server.facility.real_names import RealNames
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, XtalTrakTables
from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey

LOOK_BACK = 1000  #: so many numbers are looked at again, since transactions end in another order than they began
Drop = tuple[str, int, int, int]  #: barcode, row, column and sub-well, all from 1
BATCH = 500  #: values in one condition; Oracle takes 1000
SOMEBODY = "XtalTrak"  #: who gave a score that names nobody
#: What score numbers mean; `rim` shares its number with `clear`, and is no outcome of an image.
OUTCOME_OF_NUMBER = {outcome.score_number: outcome.name for outcome in reversed(OUTCOMES) if outcome.name != "rim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class XtalTrakMark(PullMark):
    """How far images and scores were looked at."""

    system: ClassVar[str] = "XtalTrak"

    drop: int = 0  #: number of the drop at an inspection whose images came last
    name: str = ""  #: of its image that came last
    highest: int = 0  #: number of such a drop that was ever seen
    score: int = 0  #: number of the score by a person that came last
    highest_score: int = 0  #: number of such a score that was ever seen


class XtalTrakReader:
    """Makes of XtalTrak's rows what we know of images; one for each pull."""

    def __init__(self, tables: XtalTrakTables, site: XtalTrakSite, here: Callable[[str], str]) -> None:
        self._tables, self._site, self._here = tables, site, here
        self._names = RealNames()
        self._left_out: list[str] = []

    def pull(self, connection: Connection, mark: str, limit: int) -> Pulled:
        """Return what came after a mark, images and scores in one look."""
        begin = XtalTrakMark.read(mark)
        rows = connection.execute(
            statements.new_images(self._tables, (begin.drop, begin.name), tuple(self._site.channels), limit)
        ).all()
        images = self._images(rows)
        scored: Sequence[Any] = ()
        if len(rows) < limit:  # a score may speak of any image, so all images come first
            scored = connection.execute(
                statements.new_scores(self._tables, begin.score, self._site.scored_by, limit)
            ).all()
        more = len(rows) == limit or len(scored) == limit
        barcodes = sorted({each.key.plate for each in images})
        return Pulled(
            images=tuple(images),
            facts=tuple(self._facts(connection, barcodes)),
            scores=tuple(self._scores(connection, scored)),
            left_out=tuple(dict.fromkeys(self._left_out)),
            mark=_after(begin, rows, scored, more=more).text,
            more=more,
        )

    def _images(self, rows: Iterable[Any]) -> list[NewImage]:
        found: dict[WellKey, NewImage] = {}
        for row in rows:
            image = self._image(row)
            if image is None or found.setdefault(image.key, image).path == image.path:
                continue
            self._left_out.append(
                f"{image.path}: {found[image.key].path} shows the same drop in the same channel; "
                "narrow the patterns in [facility.channels]"
            )
        return list(found.values())

    def _image(self, row: Any) -> NewImage | None:
        channel = channel_of(row.imagename, self._site.channels)
        key = well_key(row, channel) if channel else None
        if key is None:
            self._left_out.append(
                f"image {row.imagename!r} of drop {row.inspectid}: no channel, or no place on a plate "
                f"(plate {row.barcodeid!r}, inspection {row.inspectnumber}, row {row.i_row}, column {row.col})"
            )
            return None
        taken = utc_of(row.inspectdate, self._site.time_zone) if row.inspectdate else None
        return NewImage(key=key, path=self.path_of(row), imaged_at=taken)

    def path_of(self, row: Any, name: str = "") -> str:
        """Return what this machine calls the file of a row, or of another image of its drop."""
        name = name or row.imagename
        path = self._site.image_path.format(barcode=row.barcodeid, inspection=row.inspectnumber, name=name)
        return self._names.real(self._here(path))

    def _facts(self, connection: Connection, barcodes: Sequence[str]) -> Iterable[PlateFacts]:
        proteins: dict[str, list[str]] = defaultdict(list)
        for row in _in_batches(connection, barcodes, lambda batch: statements.samples(self._tables, batch)):
            proteins[row.barcode].append(row.sample_name or "")
        for row in _in_batches(connection, barcodes, lambda batch: statements.plates(self._tables, batch)):
            yield PlateFacts(
                plate=row.barcode,
                project=getattr(row, "project", None) or "",
                owner=getattr(row, "owner", None) or "",
                protein=", ".join(filter(None, proteins[row.barcode])),
            )

    def _scores(self, connection: Connection, rows: Sequence[Any]) -> Iterable[PulledScore]:
        drops = sorted({row.inspectid for row in rows})
        patterns = tuple(self._site.channels)
        names: dict[int, list[str]] = defaultdict(list)
        for row in _in_batches(connection, drops, lambda batch: statements.images_of(self._tables, batch, patterns)):
            names[row.inspectid].append(row.imagename)
        for row in rows:
            score = self._score(row, names[row.inspectid])
            if score is not None:
                yield score

    def _score(self, row: Any, names: Sequence[str]) -> PulledScore | None:
        """Return a person's score of the image that we have of its drop."""
        number = whole(row.score) or 0
        outcome = self._site.outcomes.get(number) or OUTCOME_OF_NUMBER.get(number)
        name = scored_image(row.imagename, names, self._site.channels)
        if outcome is None:
            self._left_out.append(f"scores {row.score}: no outcome has this number; name one in [facility.outcomes]")
        elif name is None or row.scoredate is None:
            lack = "image" if name is None else "date"
            self._left_out.append(f"score {row.scoreid} of drop {row.inspectid}: it has no {lack}")
        else:
            return PulledScore(
                path=self.path_of(row, name),
                person=str(row.scoredby or SOMEBODY),
                outcome=outcome,
                scored_at=utc_of(row.scoredate, self._site.time_zone),
            )
        return None


def channel_of(name: str, channels: Mapping[str, str]) -> str:
    """Return the channel of the first pattern that an image's name fits, whatever its case; empty for none.

    >>> channel_of("RMM3_01_HF_99.jpg", {"*_uv_*": "uv", "*_hf_99*": "visible"})
    'visible'
    """
    found = (channel for pattern, channel in channels.items() if fnmatchcase(name.lower(), pattern.lower()))
    return next(found, "")


def well_key(row: Any, channel: str) -> WellKey | None:
    """Return where an image belongs; None if the row tells no place on a plate."""
    drop, inspection = drop_of(row), whole(row.inspectnumber)
    if drop is None or inspection is None or not is_barcode(drop[0]):
        return None
    plate, row_number, column, sub_well = drop
    return WellKey(
        plate=plate, row=row_number - 1, column=column - 1, drop=sub_well, inspection=inspection, channel=channel
    )


def drop_of(row: Any) -> Drop | None:
    """Return which drop of which plate a row speaks of; None if it does not tell."""
    places = whole(row.i_row), whole(row.col), whole(row.subwell)
    if not row.barcodeid or None in places:
        return None
    return (row.barcodeid, *places)  # type: ignore[return-value]


def whole(value: Any) -> int | None:
    """Return a number from 1; None for what is none.

    >>> whole("07"), whole(0), whole("A"), whole(None)
    (7, None, None, None)
    """
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return number if number >= 1 else None


def scored_image(name: str | None, names: Sequence[str], channels: Mapping[str, str]) -> str | None:
    """Return which of the images that we have of a drop a score of `name` speaks of: that one, or a visible one.

    >>> scored_image("slice3.jpg", ["a_uv.jpg", "b.jpg"], {"*uv*": "uv", "*": "visible"})
    'b.jpg'
    """
    if name in names:
        return name
    return next((each for each in names if channel_of(each, channels) == "visible"), None)


def number_of(outcome: str, outcomes: Mapping[int, str]) -> int | None:
    """Return the score number of an outcome; None for one that XtalTrak has no number for.

    >>> number_of("crystal_harvestable", {}), number_of("no_drop", {40: "no_drop"}), number_of("unreadable", {})
    (23, 40, None)
    """
    own = {name: number for number, name in outcomes.items()}
    usual = {outcome.name: outcome.score_number for outcome in OUTCOMES}
    return usual.get(outcome) or own.get(outcome)


def _after(begin: XtalTrakMark, rows: Sequence[Any], scored: Sequence[Any], *, more: bool) -> XtalTrakMark:
    """Return the next mark; when there is no more, the last images and scores are looked at again the next time."""
    highest = max([begin.highest, *(row.inspectid for row in rows)])
    highest_score = max([begin.highest_score, *(row.scoreid for row in scored)])
    seen = {"highest": highest, "highest_score": highest_score}
    if not more:
        return XtalTrakMark(drop=max(0, highest - LOOK_BACK), score=max(0, highest_score - LOOK_BACK), **seen)
    drop, name = (rows[-1].inspectid, rows[-1].imagename) if rows else (begin.drop, begin.name)
    return XtalTrakMark(drop=drop, name=name, score=scored[-1].scoreid if scored else begin.score, **seen)


def _in_batches(
    connection: Connection, values: Sequence[Any], statement: Callable[[Sequence[Any]], Any]
) -> Iterable[Any]:
    for begin in range(0, len(values), BATCH):
        query = statement(values[begin : begin + BATCH])
        if query is not None:
            yield from connection.execute(query)
