"""The table beside masks: what each belongs to, for a picture says neither class nor annotator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Shape
from crystal_search.annotations.foreign_values import name_in, number_in, side_in, text_in, whole_number_in, within
from crystal_search.columns import Cell, csv_text, plain
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.spreadsheets import Sheet, read_sheet, with_point

COLUMNS = (
    *("image", "height_px", "width_px", "mask", "object", "class"),
    *("annotator", "too_faint", "crowd", "probability"),
)
NEEDED = ("image", "mask", "object", "class")
NUMBERS = ("height_px", "width_px", "object", "probability")
MOST_OBJECTS = 2**24  #: as many as colours


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRow:
    """One object, or an image without any, or a person who looked at one and drew nothing."""

    image: str
    height_px: int  #: 0 where the table does not tell
    width_px: int
    mask: str  #: file of the picture; empty where there is no object
    number: int  #: of the object in its image, from 1
    label: str
    annotator: str
    too_faint: bool
    crowd: bool
    probability: float | None

    def made(self, shape: Shape) -> AnnotatedObject:
        """Return the object, whose shape the picture tells."""
        return AnnotatedObject(
            label=self.label,
            shape=shape,
            annotator=self.annotator,
            too_faint=self.too_faint,
            crowd=self.crowd,
            probability=self.probability,
        )


def read_table(path: Path) -> Iterator[tuple[str, list[MaskRow]]]:
    """Yield images with the rows of each.

    Raises
    ------
    UserError
        If the table cannot be read, or a cell breaks the format.
    """
    rows: dict[str, list[MaskRow]] = {}
    with within(str(path)), read_sheet(path) as sheet:
        names = [name.strip().casefold() for name in sheet.header]
        if missing := [name for name in NEEDED if name not in names]:
            raise UserError(f"it has no column {', '.join(missing)}; write the annotations again")
        for line, cells in sheet.lines:
            with within(f"line {line}"):
                row = _row(_cells(names, cells, sheet))
            rows.setdefault(row.image, []).append(row)
    yield from rows.items()


def _cells(names: Sequence[str], cells: Sequence[str], sheet: Sheet) -> dict[str, str]:
    if len(cells) != len(names):
        raise UserError(f"it has {len(cells)} cells, expected {len(names)} as in the first line; correct it")
    told = dict(zip(names, (plain(each.strip()) for each in cells), strict=True))
    pointed = partial(with_point, delimiter=sheet.delimiter, has_commas=sheet.has_commas)
    return told | {name: pointed(told[name]) for name in NUMBERS if name in told}


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{what} must be a number, with a point and no comma, got {text!r:.50}") from error


def _row(cells: Mapping[str, str]) -> MaskRow:
    there = bool(cells["mask"])
    height, width = cells.get("height_px"), cells.get("width_px")
    probability, annotator = cells.get("probability"), cells.get("annotator")
    return MaskRow(
        image=name_in(cells["image"]),
        height_px=side_in(_number(height, "height_px"), "height_px") if height else 0,
        width_px=side_in(_number(width, "width_px"), "width_px") if width else 0,
        mask=name_in(cells["mask"]) if there else "",
        number=whole_number_in(_number(cells["object"], "object"), "object", 1, MOST_OBJECTS) if there else 0,
        label=text_in(cells["class"], "a class") if there else "",
        annotator=text_in(annotator, "an annotator") if annotator else "",
        too_faint=cells.get("too_faint") == "yes",
        crowd=cells.get("crowd") == "yes",
        probability=number_in(_number(probability, "probability"), "probability", 0, 1) if probability else None,
    )


def write_table(path: Path, images: Sequence[AnnotatedImage], masks: Mapping[tuple[int, int], str]) -> None:
    """Write the table; `masks` names the picture of each object by the places of image and object."""
    rows = [row for place, image in enumerate(images) for row in _rows(image, place, masks)]
    write_whole(path, csv_text(COLUMNS, rows))


def _rows(image: AnnotatedImage, place: int, masks: Mapping[tuple[int, int], str]) -> Iterator[dict[str, Cell]]:
    about: dict[str, Cell] = {
        "image": image.name,
        "height_px": image.height_px or None,
        "width_px": image.width_px or None,
    }
    drew = {each.annotator for each in image.objects}
    idle = [person for person in image.annotators if person not in drew]
    for person in idle or ([] if image.objects else [""]):
        yield about | {"annotator": person}
    for number, each in enumerate(image.objects):
        if (place, number) in masks:
            yield about | {
                "mask": masks[place, number],
                "object": number + 1,
                "class": each.label,
                "annotator": each.annotator,
                "too_faint": each.too_faint,
                "crowd": each.crowd,
                "probability": each.probability,
            }


def together(
    name: str, rows: Sequence[MaskRow], objects: Sequence[AnnotatedObject], size: tuple[int, int]
) -> AnnotatedImage:
    """Return the image of some rows."""
    people = dict.fromkeys(each.annotator for each in rows if each.annotator)
    return AnnotatedImage(
        name=name, height_px=size[0], width_px=size[1], objects=tuple(objects), annotators=tuple(people)
    )
