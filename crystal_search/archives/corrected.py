"""Archives with labels that people corrected: the list that ``crystal-search review apply --dataset`` writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crystal_search.archives.archive import Archive, ArchiveImage, LeftOut
from crystal_search.archives.csv_rows import column_names, read_rows
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import SCHEMES, Scheme
from crystal_search.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedArchive:
    """An archive whose images have the outcomes that people corrected."""

    archive: Archive
    outcomes: Mapping[str, str]  #: by the name of the image, after the archive's where there are several
    met: set[str] = field(default_factory=set)  #: corrections that were of some use; of all archives together
    last: bool = True  #: whether no archive comes after it, so that all corrections must have been met

    @property
    def name(self) -> str:
        """What people call it."""
        return self.archive.name

    @property
    def scheme(self) -> Scheme:
        """The classes in which people scored its images."""
        return self.archive.scheme

    def images(self) -> Iterator[ArchiveImage | LeftOut]:
        """Yield its images, corrected.

        Raises
        ------
        UserError
            If no archive has an image that is to be corrected.
        """
        for item in self.archive.images():
            known = next((name for name in (f"{self.name}/{item.name}", item.name) if name in self.outcomes), None)
            if known is None:
                yield item
                continue
            self.met.add(known)
            yield replace(item, outcome=self.outcomes[known]) if isinstance(item, ArchiveImage) else item
        if self.last and (unmet := sorted(self.outcomes.keys() - self.met)):
            raise UserError(
                f"{len(unmet)} corrections are of images that no archive has, first {unmet[0]}; take them out, or name "
                f"the archives that were reviewed"
            )


def corrected(archives: Sequence[Archive], corrections: Path) -> list[Archive]:
    """Return `archives` with the labels in the list `corrections`, which has columns ``file`` and ``outcome``.

    Raises
    ------
    UserError
        If the list cannot be read or names a class that does not exist, or two archives have one name.
    """
    names = [archive.name for archive in archives]
    if len(set(names)) < len(names):
        raise UserError(f"two archives are called {', '.join(sorted(set(names)))}; rename one to correct their labels")
    if {"image", "old", "new"} <= set(column_names(corrections)):
        raise UserError(f"{corrections} is as the review's page gave it; check it first: crystal-search review apply")
    labels, outcomes = Labels(SCHEMES["outcomes-13"]), {}
    for row in read_rows(corrections, {"file": ("file",), "outcome": ("outcome",)}, ("file", "outcome")):
        try:
            outcomes[row["file"]] = labels.outcome(row["outcome"])
        except UserError as error:
            raise type(error)(f"{corrections} line {row.line}: {error}") from error
    met: set[str] = set()
    return [
        CorrectedArchive(archive=archive, outcomes=outcomes, met=met, last=archive is archives[-1])
        for archive in archives
    ]
