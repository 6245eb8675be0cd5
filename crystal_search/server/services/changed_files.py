"""Noticing files that hold another picture than when they were read: such an image is scored anew.

Each pass looks at the newest images and at some of all others, so that every file has its turn.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from crystal_search.server.imaging.stored_images import FileVersion, StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.image_files import read_image

log = logging.getLogger(__name__)

NEWEST, OTHERS = 200, 800  #: images in one pass


def notice_changes(site: Installation) -> set[int]:
    """Note which files of some images hold something else by now; return the images that show another picture."""
    newest = site.imaging.images_read(limit=NEWEST)
    others = site.imaging.images_read(below=_place(site), limit=OTHERS) if len(newest) == NEWEST else []
    if len(newest) == NEWEST:
        site.home.looked_at.write_text(f"{others[-1].id}" if len(others) == OTHERS else "", encoding="utf-8")
    looked_at = {image.id: image for image in (*newest, *others)}
    versions: dict[int, FileVersion] = {}
    for image in _touched(site, looked_at.values()):
        try:
            _, versions[image.id] = site.files.ask(image.path, partial(read_image, image.path))
        except OSError:  # gone, or being written; the next look will tell
            continue
    changed = site.imaging.note_versions(versions) if versions else set()
    for image_id in sorted(changed):
        log.warning("%s holds another picture; it is scored anew", looked_at[image_id].path)
    return changed


def _place(site: Installation) -> int | None:
    """Return below which image the last pass ended; None to begin with the newest again."""
    try:
        text = site.home.looked_at.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isascii() and text.isdecimal() else None


def _touched(site: Installation, images: Iterable[StoredImage]) -> Iterator[StoredImage]:
    """Yield the images whose files have another size or time than when they were read."""
    by_folder: dict[str, list[StoredImage]] = defaultdict(list)
    for image in images:
        by_folder[str(Path(image.path).parent)].append(image)
    for folder, members in by_folder.items():
        try:
            yield from site.files.ask(folder, partial(_differing, members))
        except OSError:
            continue


def _differing(images: Iterable[StoredImage]) -> list[StoredImage]:
    return [image for image in images if _differs(image)]


def _differs(image: StoredImage) -> bool:
    try:
        status = os.stat(image.path)
    except OSError:
        return False
    return image.version is not None and not image.version.is_like(status.st_size, status.st_mtime_ns)
