"""An archive that is an installation's own imaging database: the images that people scored (docs/archives.md)."""

from functools import partial
from pathlib import Path

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut
from crystal_search.archives.channel_mates import is_there
from crystal_search.archives.image_places import drop_name
from crystal_search.class_schemes import SCHEMES, scheme_named
from crystal_search.errors import UserError
from crystal_search.outcomes import CHOPS_ONLY
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import DropScores, Ledger, PlateSummary
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import opened

UV = "uv"
SCHEME = "outcomes-13"


def _images(home: Path) -> Items:
    with opened(home, create=False) as site:
        yield from scored_images(site.imaging)


def scored_images(imaging: Ledger) -> Items:
    """Yield the images of a database that people scored; what counts is what was said last."""
    for plate in imaging.plates():
        for inspection in plate.inspections:
            mates = _ultraviolet(imaging, plate, inspection)
            for drop in imaging.drops(plate.plate, inspection=inspection):
                if drop.manual:
                    yield from _scored(drop, mates.get(drop.image.key.place))


def _scored(drop: DropScores, mate: StoredImage | None) -> Items:
    path, key = Path(drop.image.path), drop.image.key
    if drop.manual is None or drop.manual.outcome == CHOPS_ONLY:
        yield LeftOut(drop.image.path, f"scored as a {CHOPS_ONLY}, which only chops are")
        return
    if not is_there(path):
        yield LeftOut(drop.image.path, "the file is missing")
        return
    if mate and not is_there(Path(mate.path)):
        yield LeftOut(mate.path, "the file of a mate is missing", UV)
        mate = None
    yield ArchiveImage(
        name=drop.image.path,
        content=path,
        outcome=drop.manual.outcome,
        well=drop_name(key.plate, key.well, key.drop),
        plate=key.plate,
        uv=Path(mate.path) if mate else None,
    )


def _ultraviolet(imaging: Ledger, plate: PlateSummary, inspection: int) -> dict[tuple[int, int, int], StoredImage]:
    """Return the ultraviolet images of an inspection by row, column and drop."""
    if UV not in plate.channels:
        return {}
    found = imaging.drops(plate.plate, inspection=inspection, channel=UV)
    return {each.image.key.place: each.image for each in found}


def open_imaging_archive(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive in the installation at `path`: what people said last of its images, plate after plate.

    Raises
    ------
    UserError
        If there is none, or another scheme than that of the database is asked for.
    """
    if scheme_named(options.scheme or SCHEME).name != SCHEME:
        raise UserError(f"people score in the scheme {SCHEME} in the imaging database, not in {options.scheme}")
    Home(path).found()
    name = f"imaging database of {path.absolute().name}"
    return Archive(name=name, scheme=SCHEMES[SCHEME], images=partial(_images, path))
