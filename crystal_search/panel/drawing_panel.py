"""Making a panel's folder: the pictures that were drawn, copied under names that say nothing, and their list."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from crystal_search.errors import ImageError, UserError
from crystal_search.images import decode
from crystal_search.panel.panel_set import PICTURES, PanelImage, PanelSet, write_set
from crystal_search.panel.time_courses import Seen
from crystal_search.whole_folders import whole_folder

log = logging.getLogger(__name__)

WIDTH_TO_CHECK_PX = 64  #: a picture is decoded this small to know that it can be shown


def make_panel(out: Path, name: str, images: Sequence[Seen], *, seed: int, repeats: int) -> PanelSet:
    """Write the folder of a new panel, whole or not at all, and return its set.

    Pictures that cannot be read are left out, with a line in the log.

    Raises
    ------
    UserError
        If `out` holds something already, the disk is full, or no picture can be read.
    """
    with whole_folder(out) as part:
        (part / PICTURES).mkdir()
        kept = [each for number, seen in enumerate(images, start=1) if (each := _copied(part, number, seen))]
        if not kept:
            raise UserError("none of the pictures that were drawn can be read; are they where the list says?")
        panel = PanelSet(
            name=name,
            drawn_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=seed,
            repeats=min(repeats, len(kept)),
            images=tuple(kept),
        )
        write_set(part, panel)
    return panel


def _copied(folder: Path, number: int, seen: Seen) -> PanelImage | None:
    """Copy a picture, and return what the panel's list says of it; None where it cannot be read."""
    source = Path(seen.path)
    try:
        data = source.read_bytes()
        decode(data, at_least_width_px=WIDTH_TO_CHECK_PX)
    except (OSError, ImageError) as error:
        log.warning("%s is left out: %s", source, error)
        return None
    file = f"{PICTURES}/{number:04d}{source.suffix.lower()}"
    (folder / file).write_bytes(data)
    return PanelImage(
        file=file,
        path=seen.path,
        image_id=seen.image_id,
        plate=seen.plate,
        well=seen.well,
        drop=seen.drop,
        inspection=seen.inspection,
        drawn_as=str(seen.drawn_as),
    )
