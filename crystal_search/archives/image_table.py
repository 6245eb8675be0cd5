"""An archive that is a CSV file with the names of images and their outcomes (docs/archives.md)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.channel_mates import OUTLINES, Mates, is_there, mates_of
from crystal_search.archives.csv_rows import TableRow, read_rows
from crystal_search.archives.image_places import Place, Places, split_named
from crystal_search.archives.label_names import Labels
from crystal_search.archives.outlines import BAD_OUTLINES, read_outlines
from crystal_search.class_schemes import scheme_named
from crystal_search.errors import UserError

DEFAULT_SCHEME = "outcomes-13"
NEEDED = ("file", "outcome")
MATES = {"uv": "uv", "mask": "drop_mask", "outcome_map": "outcome_map"}  #: columns, and what they name
COLUMNS = (*NEEDED, "well", "plate", "row", "column", "drop", "split", *MATES)
SAMPLE = 1000  #: names that are looked at to find out the robot's convention


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One row an image, the files beside the table."""

    table: Path
    columns: Mapping[str, tuple[str, ...]]
    labels: Labels
    contradicted: frozenset[str]  #: files with more than one outcome

    def images(self) -> Items:
        """Yield its images in the order of the table."""
        places = Places(self._path(file_of(row)).as_posix() for row in islice(self._rows(), SAMPLE))
        seen: set[str] = set()
        for row in self._rows():
            name = file_of(row)
            where = f"line {row.line}"
            if name in self.contradicted:
                yield LeftOut(name, "listed with several outcomes", f"{where}: {row['outcome']}")
            elif name in seen:
                yield LeftOut(name, "listed again with the same outcome", where)
            elif not is_there(self._path(name)):
                yield LeftOut(name, "the file is missing", where)
            else:
                yield from self._taken(name, row, places)
            seen.add(name)

    def _taken(self, name: str, row: TableRow, places: Places) -> Items:
        path = self._path(name)
        place = place_in(row, places.of(path.as_posix()))
        mates, missing = self._mates(path, row)
        yield from missing
        try:
            outlines = read_outlines(mates.outlines)
        except UserError as error:
            yield LeftOut(name, BAD_OUTLINES, f"line {row.line}: {error}")
            return
        yield ArchiveImage(
            name=name,
            content=path,
            outcome=self.labels.outcome(row["outcome"]),
            well=place.well,
            plate=place.plate,
            is_drop_known=place.is_known,
            split=split_named(row["split"]),
            uv=mates.uv,
            drop_mask=mates.drop_mask or outlines.drop_mask,
            outcome_map=mates.outcome_map,
            objects=outlines.objects,
            is_chop=self.labels.chops,
        )

    def _mates(self, path: Path, row: TableRow) -> tuple[Mates, list[LeftOut]]:
        """Return what a row names beside its image, else what lies there, and what it names that is missing."""
        mates, missing = mates_of(path), []
        for column, kind in MATES.items():
            if row[column]:
                named = self._path(plain_path(row[column]))
                if not is_there(named):
                    missing.append(
                        LeftOut(row[column], "the file of a mate is missing", f"line {row.line}, column {column}")
                    )
                    mates = replace(mates, **{kind: None})
                elif column == "mask" and named.suffix.lower() == OUTLINES:
                    mates = replace(mates, drop_mask=None, outlines=named)
                else:
                    mates = replace(mates, **{kind: named})
        return mates, missing

    def _rows(self) -> Iterator[TableRow]:
        return read_rows(self.table, self.columns, NEEDED)

    def _path(self, file: str) -> Path:
        return self.table.parent / file


def open_csv(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive that the table `path` lists.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, or has a label or split that nobody knows, with its line.
    """
    check_renamed(options, COLUMNS)
    columns = {column: (options.columns.get(column, column),) for column in COLUMNS}
    labels = Labels(scheme_named(options.scheme or DEFAULT_SCHEME), chops=options.chops)
    outcomes: dict[str, str] = {}
    contradicted = set()
    for row in read_rows(path, columns, (*NEEDED, *options.columns)):
        name = file_of(row)
        with naming(f"{path} line {row.line}"):
            outcome, _ = labels.outcome(row["outcome"]), split_named(row["split"])
        if not row["file"]:
            raise UserError(f"{path} line {row.line} names no file; write one or take the line out")
        if outcomes.setdefault(name, outcome) != outcome:
            contradicted.add(name)
    if not outcomes:
        raise UserError(f"{path} lists no image, expected a line for each; add them")
    table = _Table(table=path, columns=columns, labels=labels, contradicted=frozenset(contradicted))
    name = f"table {path.parent.name}/{path.name}".replace(" /", " ")
    return Archive(name=name, scheme=labels.scheme, images=table.images)


def check_renamed(options: ArchiveOptions, columns: Collection[str]) -> None:
    """Refuse options that rename a column that nobody reads.

    Raises
    ------
    UserError
        That lists the columns which are read.
    """
    if unknown := sorted(options.columns.keys() - set(columns)):
        raise UserError(f"no column {', '.join(unknown)} is read; choose from {', '.join(columns)}")


def place_in(row: TableRow, by_name: Place) -> Place:
    """Return plate and drop in a row, and by the file's name where the row does not tell."""
    plate = row["plate"] or by_name.plate
    well = row["well"] or (row["row"] + row["column"].zfill(2) if row["row"] and row["column"] else "")
    if not well:
        named = f"{plate} {by_name.well}".strip() if row["plate"] else by_name.well
        return Place(named, plate, is_known=by_name.is_known)
    return Place(f"{plate} {well}".strip() + (f".{row['drop']}" if row["drop"] else ""), plate)


def file_of(row: TableRow) -> str:
    """Return the path of a row's image, relative to the table."""
    return plain_path(row["file"])


def plain_path(written: str) -> str:
    r"""Return a path as this system writes it, whichever wrote it.

    >>> plain_path("./plates\\a.jpg")
    'plates/a.jpg'
    """
    return PurePosixPath(written.replace("\\", "/")).as_posix()
