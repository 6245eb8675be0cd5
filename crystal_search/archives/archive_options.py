"""What a person may say about an archive that the archive itself does not tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOptions:
    """How to read an archive; every kind reads what concerns it (docs/archives.md)."""

    scheme: str | None = None  #: of `class_schemes.SCHEMES`; None: that of the kind of archive
    chops: bool = False  #: folder, csv: the pictures are chops that somebody cut already, not images of wells
    columns: Mapping[str, str] = field(default_factory=dict)  #: csv, vmxi: what a column is called that is read
    csv: Path | None = None  #: vmxi: the table of labels, where it does not lie among the images
    classes: str | None = None  #: recordio: names of the classes 0, 1, ... with commas between, or a file of them
