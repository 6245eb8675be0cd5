"""Finding our images in ISPyB, which knows an image by its path and compares paths without regard to case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.facility.ispyb_schema import IspybTables
from crystal_search.server.imaging.adding_rules import batches

BATCH = 500  #: paths in one condition
LETTERS = 255  #: that ISPyB keeps of a path
#: How Python calls the character sets of MariaDB that do not hold every letter.
CODECS = {"latin1": "cp1252", "ascii": "ascii"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageThere:
    """An image as ISPyB knows it."""

    id: int
    sample: int  #: the drop that it shows
    path: str  #: as ISPyB has it


@dataclass(frozen=True, slots=True)
class PathsThere:
    """How a database writes the paths of our images."""

    mapping: FolderMapping
    charset: str = ""  #: in which it keeps them, as it calls that; empty: every letter

    def images(
        self, connection: Connection, tables: IspybTables, paths: Sequence[str]
    ) -> Mapping[str, ImageThere | str]:
        """Return for each of our paths the image there, or why there is none."""
        wanted = {path: self.mapping.there(path) for path in paths}
        asked = sorted({path for path in wanted.values() if not self._why_never(path)})
        found = {row.path: row for batch in batches(asked, BATCH) for row in self._rows(connection, tables, batch)}
        alike = {path.casefold(): path for path in found}
        return {ours: self._answer(there, found.get(there), alike) for ours, there in wanted.items()}

    @staticmethod
    def _rows(connection: Connection, tables: IspybTables, paths: Sequence[str]) -> Iterator[ImageThere]:
        for row in connection.execute(statements.images_called(tables, paths)):
            yield ImageThere(id=row.id, sample=row.sample, path=row.path)

    def _answer(self, there: str, found: ImageThere | None, alike: Mapping[str, str]) -> ImageThere | str:
        if found:
            return found
        if reason := self._why_never(there):
            return reason
        if other := alike.get(there.casefold()):
            return f"ISPyB calls it {other}, in other case, so it may be another file; see [facility.folders]"
        return f"ISPyB has no image {there}"

    def _why_never(self, path: str) -> str:
        """Return why ISPyB cannot have a path; empty where it can.

        A path with letters that its column does not hold would be compared row by row, with millions of them.
        """
        if len(path) > LETTERS:
            return f"ISPyB keeps {LETTERS} letters of a path, this one has {len(path)}"
        if self.charset in CODECS:
            try:
                path.encode(CODECS[self.charset])
            except UnicodeEncodeError:
                return f"ISPyB keeps paths in {self.charset}, which cannot write {path}"
        return ""
