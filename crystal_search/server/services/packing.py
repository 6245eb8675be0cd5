"""From a recorded work unit to its file; images that cannot be packed are put into the ledger with the reason."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from crystal_search.images import SUFFIXES
from crystal_search.model import hashes_of
from crystal_search.result import ImageScore
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe, StoredImage, UnitRecord
from crystal_search.server.installation import Installation
from crystal_search.server.unit_states import State, place_of
from crystal_search.work_unit import MAX_IMAGE_BYTES, Parameters, write_work_unit

log = logging.getLogger(__name__)

PREFIX_LENGTH = 40
Packed = tuple[str, str, bytes]  #: an image's id, suffix and bytes, as `write_work_unit` wants them


def unit_name(recipe: Recipe, images: Sequence[StoredImage]) -> str:
    """Return the name of the work unit that scores `images` by `recipe`: always the same for the same.

    The plate and the inspection come first, for people; a digest of everything makes it unique.
    """
    plate = re.sub(r"[^A-Za-z0-9]+", "-", images[0].key.plate).strip("-")[:PREFIX_LENGTH] or "plate"
    content = [*hashes_of(recipe.models).values(), recipe.threshold, [[i.id, i.path] for i in images]]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    return f"{plate}-{images[0].key.inspection}-{digest}"


def record_of(recipe: Recipe, images: Sequence[StoredImage]) -> UnitRecord:
    """Return the record of a new work unit."""
    return UnitRecord(
        name=unit_name(recipe, images),
        recipe=recipe,
        image_ids=tuple(image.id for image in images),
        created_at=datetime.now(UTC),
    )


def folder_is_there(path: str) -> bool:
    """Tell whether the folder of an image can be reached and holds anything.

    A share that is not mounted is no folder, or an empty one: nothing is said about its images.
    """
    try:
        with os.scandir(Path(path).parent) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def can_be_opened(path: str) -> bool:
    """Tell whether the file of an image can be opened, or is gone, as opposed to: not now."""
    try:
        with Path(path).open("rb"):
            return True
    except FileNotFoundError:
        return True
    except OSError:
        return False


def can_be_packed(path: str) -> bool:
    """Tell whether it is known now what becomes of an image: packed, or never. Reads the whole file."""
    try:
        _read(Path(path))
    except (FileNotFoundError, ValueError):
        return folder_is_there(path)
    except OSError:
        return False
    return True


def pack(site: Installation, record: UnitRecord, images: Sequence[StoredImage]) -> int | None:
    """Write the file of a recorded work unit into the queue; return how many images it holds.

    Images whose file is gone, too large or of no known kind get an ``unreadable`` score. A work unit without
    any other image is done at once. None when a file cannot be read now, which says nothing about the image: a
    file server that is restarted, a right that is missing. Then nothing is written, and the work unit waits.
    """
    packed: list[Packed] = []
    refused: list[AutoScore] = []
    for image in images:
        try:
            packed.append((str(image.id), *_read(Path(image.path))))
        except (FileNotFoundError, ValueError) as error:
            log.warning("cannot pack image %d of %s: %s", image.id, record.name, error)
            refused.append(unreadable(record, image.id, f"cannot pack {image.path}: {error}"))
        except OSError as error:
            log.warning("%s waits: %s", record.name, error)
            return None
    if refused:
        site.imaging.add_auto_scores(refused)
    if not packed:
        site.imaging.close_unit(record.name, "done")
        return 0
    write_work_unit(
        place_of(site.home, record.name, State.QUEUED),
        name=record.name,
        models=record.recipe.models,
        parameters=Parameters(
            threshold=record.recipe.threshold,
            best_chops=site.settings.best_chops,
            overlays=site.settings.overlays and site.engine.overlays,
        ),
        images=packed,
    )
    return len(packed)


def _read(path: Path) -> tuple[str, bytes]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}")
    if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
        raise ValueError(f"{size} bytes; at most {MAX_IMAGE_BYTES} are packed")
    return suffix, path.read_bytes()


def unreadable(record: UnitRecord, image_id: int, reason: str) -> AutoScore:
    """Return the score of an image that no client can read."""
    return AutoScore(
        image_id=image_id,
        work_unit=record.name,
        recipe=record.recipe,
        scored_at=datetime.now(UTC),
        found=ImageScore(height_px=0, width_px=0, error=reason),
    )
