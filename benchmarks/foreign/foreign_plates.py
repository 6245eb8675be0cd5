"""Plates of the foreign imagers, rendered from written seeds into a folder that ``evaluate --photographs`` can read."""

import copy
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

from benchmarks.foreign.imagers import IMAGERS, ForeignImager
from crystal_search.errors import CrystalSearchError
from crystal_search.files import write_whole
from crystal_search.images import contact_sheet
from crystal_search.outcomes import NO_DROP, Group, outcome_named
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.rendered_well import photograph, staged
from crystal_search.synthesis.wells.scenes import Scene
from crystal_search.synthesis.wells.visits import Settings

PLATES = 8  #: of an imager
FIRST_SEED = 1_000_000  #: of the split test; far from what is evaluated otherwise
APART = 100_000  #: seeds between imagers
SIZE = (680, 816)  #: rows and columns that are rendered
SHEET_COLUMNS, CELL_PX = 6, (204, 170)  #: of a contact sheet
MOST_TRIES = 20  #: of seeds for a well that shows its outcome
LABELS = "labels.csv"

#: What the wells of a plate show; None: an empty well.
WELLS: tuple[str | None, ...] = (
    *("crystal_harvestable", "crystal_bad_form", "crystal_overnucleated") * 2,
    *("precipitate", "precipitate", "precipitate_bad", "precipitate_good"),
    *("null_experiment", "other", "spherulites", "phase_separation"),
    *("clear", "clear", "clear_with_features", None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignWell:
    """A well of a foreign imager."""

    imager: str
    plate: int
    number: int  #: position in `WELLS`

    @property
    def file(self) -> str:
        """Its picture in the folder."""
        return f"{self.imager}/plate-{self.plate}/{self.number:02d}.jpg"

    @property
    def label(self) -> str:
        """What it shows."""
        return WELLS[self.number] or NO_DROP


def wells_of(imager: ForeignImager) -> Iterator[ForeignWell]:
    """Yield every well, plate by plate."""
    for plate in range(PLATES):
        for number in range(len(WELLS)):
            yield ForeignWell(imager=imager.name, plate=plate, number=number)


def render(folder: Path) -> Path:
    """Render what is missing in `folder` and return the table of labels, which is written last."""
    torch.set_num_threads(1)
    rows = []
    for place, imager in enumerate(IMAGERS):
        for well in wells_of(imager):
            path = folder / well.file
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, jpeg_of(imager, place, well))
            rows.append((well.file, well.label, well.imager, f"{well.imager}-{well.plate}"))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("file", "label", "source", "plate"), *rows])
    write_whole(folder / LABELS, text.getvalue())
    return folder / LABELS


def contact_sheets(folder: Path) -> None:
    """Write a contact sheet of each imager's first plate beside its plates."""
    for imager in IMAGERS:
        path = folder / f"{imager.name}.png"
        if not path.exists():
            wells = [well for well in wells_of(imager) if well.plate == 0]
            cells = [Pillow.open(folder / well.file).resize(CELL_PX) for well in wells]
            write_whole(path, contact_sheet(cells, SHEET_COLUMNS))


def jpeg_of(imager: ForeignImager, place: int, well: ForeignWell) -> bytes:
    """Return the picture of a well of the imager at `place` in `IMAGERS`: the same bytes every time.

    Raises
    ------
    CrystalSearchError
        If no seed shows what the well shall show.
    """
    settings = Settings(
        size=SIZE, plate_type=imager.plate_type, equipment=imager.equipment, view_units=imager.view_units
    )
    first = FIRST_SEED + APART * place
    for again in range(MOST_TRIES):
        seed = WellSeed("test", first + 1000 * (1 + well.plate) + MOST_TRIES * well.number + again)
        try:
            scene, rng = staged(seed, WELLS[well.number], WellSeed("test", first), settings)
        except CrystalSearchError:
            continue
        if (data := picture_if_seen(imager, scene, rng, seed)) is not None:
            return data
    raise CrystalSearchError(f"{imager.name} shows no {well.label}; take another lens, lamp or plate")


def picture_if_seen(imager: ForeignImager, scene: Scene, rng: np.random.Generator, seed: WellSeed) -> bytes | None:
    """Return a scene's picture; None where it has crystals that nobody can see in it."""

    def taken(scene: Scene) -> bytes:
        picture = photograph(copy.deepcopy(rng), scene).image
        return imager.camera.file(seed.generator("foreign camera"), picture)

    data, filling = taken(scene), scene.filling
    if scene.outcome is None or filling is None or outcome_named(scene.outcome).group is not Group.CRYSTAL:
        return data
    without = taken(replace(scene, filling=replace(filling, look=filling.before)))
    return data if imager.camera.tells_apart(data, without) else None
