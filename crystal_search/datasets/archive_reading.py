"""Reading archives on several processor cores: images in, records and spooled chops out, always in the same order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from crystal_search.archives.archive import Archive, ArchiveImage, LeftOut
from crystal_search.datasets.chop_recipe import Recipe
from crystal_search.datasets.chopping import Chop, ChoppedImage, chopped
from crystal_search.datasets.dividing import Member
from crystal_search.datasets.fingerprints import Fingerprint
from crystal_search.datasets.packed import Part
from crystal_search.datasets.packing_shards import Spool
from crystal_search.processes import in_order


class KeptChop(NamedTuple):
    """One chop whose patch waits in the spool."""

    chop: Chop
    place: Part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRecord:
    """One image that was read."""

    number: int  #: among all that were read, from 0
    name: str  #: unique in the dataset
    outcome: str
    well: str  #: unique in the dataset
    plate: str
    published: str | None  #: the split that its publisher put it in
    digest: bytes
    fingerprint: Fingerprint
    bytes: int
    worth_keeping: bool  #: whole, to train on
    has_objects: bool
    is_chop: bool
    is_drop_known: bool
    chops: tuple[KeptChop, ...]

    @property
    def key(self) -> str:
        """Of its samples."""
        return f"{self.number:08d}"

    @property
    def known(self) -> dict[str, Any]:
        """Its row in a table, but for where it lies."""
        return {"key": self.key, "outcome": self.outcome, "image": self.name, "well": self.well, "plate": self.plate}

    @property
    def member(self) -> Member:
        """It as splitting sees it."""
        return Member(self.outcome, self.well, self.plate, self.published)


@dataclass(frozen=True, slots=True)
class Read:
    """All that was read."""

    records: list[ImageRecord] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_archives(archives: Sequence[Archive], recipe: Recipe, spool: Spool, workers: int) -> Read:
    """Chop all images of `archives`; the chops go into `spool`.

    Raises
    ------
    UserError
        If a worker was ended from outside.
    """
    from tqdm import tqdm

    read = Read()
    items = tqdm(items_of(archives), desc="images", unit="", smoothing=0.02, disable=None)
    for image, answer in in_order(partial(_chopped, recipe=recipe), items, workers):
        if isinstance(image, LeftOut):
            read.left_out.append(image)
        elif answer is not None:
            _keep(read, image, answer, spool)
    return read


def items_of(archives: Sequence[Archive]) -> Iterator[ArchiveImage | LeftOut]:
    """Yield what is in the archives, names and wells made unique where there are several."""
    several = len(archives) > 1
    for number, archive in enumerate(archives):
        twice = [each.name for each in archives].count(archive.name) > 1
        prefix = f"{archive.name}-{number + 1}" if twice else archive.name
        for item in archive.images():
            if not several:
                yield item
            elif isinstance(item, LeftOut):
                yield replace(item, name=f"{prefix}/{item.name}")
            else:
                well = item.well if item.plate else f"{prefix}/{item.well}"
                yield replace(item, name=f"{prefix}/{item.name}", well=well)


def _chopped(item: ArchiveImage | LeftOut, recipe: Recipe) -> ChoppedImage | None:
    return None if isinstance(item, LeftOut) else chopped(item, recipe)


def _keep(read: Read, image: ArchiveImage, answer: ChoppedImage, spool: Spool) -> None:
    read.left_out.extend(answer.left_out)
    if answer.fingerprint is None:
        return
    read.records.append(
        ImageRecord(
            number=len(read.records),
            name=image.name,
            outcome=image.outcome,
            well=image.well,
            plate=image.plate,
            published=image.split,
            digest=answer.digest,
            fingerprint=answer.fingerprint,
            bytes=answer.bytes,
            worth_keeping=answer.worth_keeping,
            has_objects=image.objects is not None,
            is_chop=image.is_chop,
            is_drop_known=image.is_drop_known,
            chops=tuple(_spooled(chop, spool) for chop in answer.chops),
        )
    )


def _spooled(chop: Chop, spool: Spool) -> KeptChop:
    return KeptChop(replace(chop, jpeg=b""), spool.add(chop.jpeg))
