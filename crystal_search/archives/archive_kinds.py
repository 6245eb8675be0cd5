"""Kinds of archives by name."""

from collections.abc import Callable
from pathlib import Path

from crystal_search.archives.annotated_folder import ANNOTATED
from crystal_search.archives.archive import Archive, ArchiveOptions
from crystal_search.archives.coco_folder import open_coco
from crystal_search.archives.image_folder import open_folder
from crystal_search.archives.image_table import open_csv
from crystal_search.archives.installation_archive import open_imaging_archive
from crystal_search.archives.marco import open_marco
from crystal_search.archives.mxnet_chops import open_recordio
from crystal_search.archives.vmxi import open_vmxi
from crystal_search.known_names import among

__all__ = ["ARCHIVES", "ArchiveOptions", "open_archive"]

#: What opens each kind of archive.
ARCHIVES: dict[str, Callable[[Path, ArchiveOptions], Archive]] = {
    "folder": open_folder,
    "csv": open_csv,
    "marco": open_marco,
    "vmxi": open_vmxi,
    "recordio": open_recordio,
    "coco": open_coco,
    **ANNOTATED,
    "imaging": open_imaging_archive,
}


def open_archive(kind: str, path: Path, options: ArchiveOptions | None = None) -> Archive:
    """Return the archive of a `kind` at `path`.

    Raises
    ------
    UnknownNameError
        If there is no such kind; the message lists those there are.
    UserError
        If `path` is no such archive.
    """
    return among(ARCHIVES, kind, "kind of archive")(path, options or ArchiveOptions())
