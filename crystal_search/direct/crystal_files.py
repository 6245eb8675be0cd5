"""Crystals found in image files, one by one: rows of a CSV file, COCO annotations, pictures with boxes."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from crystal_search.columns import Cell
from crystal_search.crystal import Crystal
from crystal_search.crystals.coco import CATEGORY, measured
from crystal_search.crystals.crystal_cells import PLACE_COLUMNS, crystal_cells
from crystal_search.crystals.dispensing import Dispense, DispensingUm, where_to_dispense
from crystal_search.crystals.targets import Target, targets_of
from crystal_search.direct.aiming import ShootingUm
from crystal_search.direct.as_installed import Installed
from crystal_search.direct.counted_crystals import counted_anywhere, counted_in_drop, why_unsearched
from crystal_search.direct.crystal_pictures import drawn
from crystal_search.direct.file_scales import FileScale, FileScales
from crystal_search.direct.scored_files import content_in
from crystal_search.errors import ImageError
from crystal_search.hostile_json import printable
from crystal_search.images import DecodedImage, decode, to_grey
from crystal_search.inference import Network
from crystal_search.model import default_models
from crystal_search.model_card import ANSWERING_ROLES, ROLES, ClassifierCard, CrystalCard, DropCard, FirstLookCard
from crystal_search.scoring.crystals_in_drop import Limits
from crystal_search.scoring.looking import LocatedImage, chops_in_drop
from crystal_search.scoring.pipeline import loaded
from crystal_search.unet_drop.locate import LocatedDrop, locate_drop
from crystal_search.work_unit import CRYSTALS_FROM

COLUMNS = (
    *("path", *PLACE_COLUMNS, "image_height_px", "image_width_px"),
    *("found_share", "scale_from", "none_because", "error"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedFile:
    """One file with the crystals that were found in it."""

    path: Path
    height_px: int = 0
    width_px: int = 0
    crystals: tuple[Crystal, ...] = ()
    detector: CrystalCard | None = None  #: whose card tells how often such are found, see `Search`
    scale: FileScale | None = None  #: None where nobody says it
    targets: tuple[Target, ...] | None = None  #: where to shoot; None where nobody asked, or it needs the scale
    dispense: Dispense | None = None  #: where to dispense; None where nobody asked, without scale or drop
    none_because: str | None = None  #: why no crystal counts, where none does
    picture: bytes = b""  #: JPEG with a box around each crystal, where one is wanted
    error: str | None = None  #: why it could not be read, or looked at

    @property
    def um_per_px(self) -> float | None:
        """How large a stored pixel is; None where nobody says it."""
        return self.scale.um_per_px if self.scale else None

    @property
    def unsearched(self) -> str | None:
        """Why nobody knows whether it has crystals; None where it was searched."""
        return why_unsearched(self.error, self.none_because)

    def share_found(self, crystal: Crystal) -> float | None:
        """Return which share of the crystals of its size is found, as `CrystalCard.share_found` does."""
        area_px2 = crystal.long_px * crystal.short_px
        return self.detector.share_found(area_px2, crystal.probability, self.width_px) if self.detector else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for in a file, and by what."""

    network: Network[CrystalCard]
    scales: FileScales = field(default_factory=FileScales)
    shooting: ShootingUm | None = None  #: None: no targets are asked for
    dispensing: DispensingUm | None = None  #: None: no places to dispense at are asked for
    drop: Network[DropCard] | None = None  #: finds the drop to dispense into, or to look in
    classifier: Network[ClassifierCard] | None = None  #: crystals in the drop count where it sees some; None: all do
    first_look: Network[FirstLookCard] | None = None  #: asked first; where it is sure, the classifier is not
    crystals_from: float = CRYSTALS_FROM  #: what it must say of the chops around a crystal
    least_probability: float | None = None  #: of a crystal; None: what the detector's card says
    picture: bool = False  #: whether to draw what was found

    @property
    def counted_from(self) -> float:
        """The probability from which on a crystal counts."""
        card = self.network.card
        return card.least_probability if self.least_probability is None else self.least_probability

    @property
    def telling_shares(self) -> CrystalCard | None:
        """The detector whose card tells how often crystals of a size are found; None where others, or fewer, count."""
        share = self.network.card.found_share
        told = share and not self.classifier and self.counted_from <= share.from_probability
        return self.network.card if told else None

    @property
    def avoided_from(self) -> float:
        """The probability from which on nothing is dispensed onto a crystal: a false one costs less than a true one.

        In drops as many are seen as by clients, `CrystalCard.seen_from`.
        """
        least = self.network.card.least_probability
        return min(least, self.counted_from) if self.dispensing or self.classifier else self.counted_from

    @property
    def limits(self) -> Limits:
        """From when on a crystal is seen, and counts."""
        return Limits(seen_from=self.avoided_from, counts_from=self.counted_from, crystals_from=self.crystals_from)

    @property
    def needs_scale(self) -> bool:
        """Whether something is asked for that cannot be told of an image without a scale."""
        return self.dispensing is not None or (self.shooting is not None and self.shooting.in_px(None) is None)

    @property
    def decode_width_px(self) -> int:
        """How wide an image must at least be decoded."""
        networks = (self.network, self.drop, self.classifier, self.first_look)
        return max(each.card.working_width_px for each in networks if each)


def in_drops(search: Search, installed: Installed, *, threads: int = 1, crystals_from: float | None = None) -> Search:
    """Return a search that counts crystals as clients do: in drops, where a classifier sees some.

    Drop locator, classifier and first look, and what is not said, are as installed.

    Raises
    ------
    ModelError
        If one of the models cannot be used.
    """
    card, others = search.network.card, [role for role in ROLES if role not in ANSWERING_ROLES]
    used = loaded(default_models(installed.models, but=others), threads=threads)
    return replace(
        search,
        drop=used.drop,
        classifier=used.classifier,
        first_look=used.first_look,
        crystals_from=installed.settings.crystals_from if crystals_from is None else crystals_from,
        least_probability=card.counts_in_drops if search.least_probability is None else search.least_probability,
    )


def searched(path: Path, search: Search) -> SearchedFile:
    """Return the crystals in a file; what is wrong with it is its error, so that the others are searched.

    Raises
    ------
    UserError
        If targets are to lie too near to each other, or scipy is missing where places to dispense at are asked for.
    """
    try:
        data = content_in(path)
        image = decode(data, at_least_width_px=search.decode_width_px)
    except (OSError, ImageError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        return SearchedFile(path=path, error=printable(said or type(error).__name__))
    found = SearchedFile(
        path=path,
        height_px=image.height_px,
        width_px=image.width_px,
        detector=search.telling_shares,
        scale=search.scales.of(path, data),
    )
    return _looked_at(found, image, search)


def _looked_at(found: SearchedFile, image: DecodedImage, search: Search) -> SearchedFile:
    grey = to_grey(image.colour)
    drop = locate_drop(grey, search.drop) if search.drop else None
    if (classifier := search.classifier) is None:
        counted = counted_anywhere(image, search.network, search.limits)
    else:
        chops = partial(chops_in_drop, LocatedImage(image, grey, drop), classifier, search.first_look)
        counted = counted_in_drop(image, search.network, drop, chops, search.limits)
    found = replace(
        found,
        crystals=counted.crystals,
        none_because=counted.none_because,
        dispense=_dispense(found, drop, counted.seen, search),  # also away from what does not count
    )
    found = replace(found, targets=_targets(found, search))
    if not search.picture:
        return found
    return replace(found, picture=drawn(image, found.crystals, found.targets or (), found.dispense, drop=drop))


def _targets(found: SearchedFile, search: Search) -> tuple[Target, ...] | None:
    shooting = search.shooting.in_px(found.um_per_px) if search.shooting else None
    return None if shooting is None else targets_of(found.crystals, shooting)


def _dispense(
    found: SearchedFile, drop: LocatedDrop | None, avoided: Sequence[Crystal], search: Search
) -> Dispense | None:
    if search.dispensing is None or drop is None or found.um_per_px is None:
        return None
    rule = search.dispensing.in_px(found.um_per_px)
    return where_to_dispense(drop.mask, avoided, rule, size_px=(found.height_px, found.width_px))


def rows_of(found: SearchedFile) -> Iterator[dict[str, Cell]]:
    """Yield a row for each crystal, or one for a file without any, by the names of `COLUMNS`."""
    scale = {"um_per_px": found.um_per_px, "scale_from": found.scale.said_by if found.scale else None}
    nothing: dict[str, Cell] = dict.fromkeys(COLUMNS) | {"path": str(found.path)} | scale
    if found.error is None:
        nothing |= {"image_height_px": found.height_px, "image_width_px": found.width_px}
    if not found.crystals:
        yield nothing | {"none_because": found.none_because, "error": found.error}
    for number, crystal in enumerate(found.crystals, start=1):
        told = crystal_cells(crystal, (found.height_px, found.width_px), found.um_per_px)
        share = found.share_found(crystal)
        yield nothing | {"crystal": number, "found_share": None if share is None else round(share, 4)} | told


def coco_names(paths: Sequence[Path]) -> list[str]:
    """Return what COCO calls image files: as they are named, or from the folder that they share if that leads outside.

    >>> coco_names([Path("day 1/a.png")]), coco_names([Path("/x/day 1/a.png"), Path("/x/day 2/a.png")])
    (['day 1/a.png'], ['day 1/a.png', 'day 2/a.png'])
    """
    if not any(each.is_absolute() or ".." in each.parts for each in paths):
        return [each.as_posix() for each in paths]
    whole = [each.absolute() for each in paths]
    shared = os.path.commonpath([each.parent for each in whole])
    return [each.relative_to(shared).as_posix() for each in whole]


def coco_text(found: Sequence[SearchedFile]) -> str:
    """Return the annotations file of what was found; files that were not searched are not in it."""
    there = [each for each in found if not each.unsearched]
    names = coco_names([each.path for each in there])
    images = [
        {"id": number, "file_name": name, "height": each.height_px, "width": each.width_px}
        | ({"um_per_px": each.um_per_px} if each.um_per_px else {})
        for number, (name, each) in enumerate(zip(names, there, strict=True), start=1)
    ]
    crystals = (
        measured(each, number, (file.height_px, file.width_px))
        for number, file in enumerate(there, start=1)
        for each in file.crystals
    )
    annotations: list[dict[str, Any]] = [{"id": number, **each} for number, each in enumerate(crystals, start=1)]
    return json.dumps({"images": images, "categories": [CATEGORY], "annotations": annotations}) + "\n"
