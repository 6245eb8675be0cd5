"""Archives with labels that people corrected: the list that ``crystal-search review apply --dataset`` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from crystal_search.archives.archive import Archive, ArchiveImage, Items, naming
from crystal_search.archives.csv_rows import column_names, read_rows
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError


def corrected(archives: Sequence[Archive], corrections: Path) -> list[Archive]:
    """Return `archives` with the labels in the list `corrections`, which has columns ``file`` and ``outcome``.

    An image is named as its archive names it, or so with the archive's name before it where there are several.

    Raises
    ------
    UserError
        If the list cannot be read or names a class that does not exist, or two archives have one name; later, when the
        last archive was read to its end, if none has an image that is to be corrected.
    """
    names = [archive.name for archive in archives]
    if len(set(names)) < len(names):
        raise UserError(f"two archives are called {', '.join(sorted(set(names)))}; rename one to correct their labels")
    if {"image", "old", "new"} <= set(column_names(corrections)):
        raise UserError(f"{corrections} is as the review's page gave it; check it first: crystal-search review apply")
    labels, outcomes = Labels(SCHEMES["outcomes-13"]), {}
    for row in read_rows(corrections, {"file": ("file",), "outcome": ("outcome",)}, ("file", "outcome")):
        with naming(f"{corrections} line {row.line}"):
            outcomes[row["file"]] = labels.outcome(row["outcome"])
    met: set[str] = set()
    return [
        replace(
            archive,
            images=partial(_images, archive, outcomes, met, last=archive is archives[-1]),
            corrected=len(outcomes),
        )
        for archive in archives
    ]


def _images(archive: Archive, outcomes: Mapping[str, str], met: set[str], *, last: bool) -> Items:
    """Yield an archive's images, corrected; what was `met` of `outcomes` is known to all archives together."""
    for item in archive.images():
        known = next((name for name in (f"{archive.name}/{item.name}", item.name) if name in outcomes), None)
        if known is None:
            yield item
            continue
        met.add(known)
        yield replace(item, outcome=outcomes[known]) if isinstance(item, ArchiveImage) else item
    if last and (unmet := sorted(outcomes.keys() - met)):
        raise UserError(
            f"{len(unmet)} corrections are of images that no archive has, first {unmet[0]}; take them out, or name "
            f"the archives that were reviewed"
        )
