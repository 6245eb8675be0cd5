"""The export of classifications of a Zooniverse project: a table with JSON in its cells, a row for each look.

What the cells hold is told at https://github.com/zooniverse/Data-digging/tree/main/docs; positions are columns before
rows, in pixels of the image. Which file an image is stands among the facts of its subject, which its project chose.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Placed
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import outlined
from crystal_search.annotations.foreign_values import (
    MAX_FILE_BYTES,
    last_name_in,
    list_in,
    name_in,
    record_in,
    side_in,
    text_in,
    within,
)
from crystal_search.annotations.zooniverse_marks import is_mark, label_of, mark_of, shape_of
from crystal_search.columns import csv_text, plain
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import loads
from crystal_search.images import SUFFIXES
from crystal_search.spreadsheets import read_sheet

FILE = "classifications.csv"
NEEDED = ("user_name", "annotations", "subject_data")
COLUMNS = (
    *("classification_id", "user_name", "workflow_id", "workflow_name", "workflow_version", "created_at"),
    *("metadata", "annotations", "subject_data", "subject_ids"),
)
NAMED = ("filename", "file_name", "file", "image", "image_name", "name")  #: facts that may name the file, best first
CREATED_AT = "1970-01-01 00:00:00 UTC"  #: of rows that we write: nobody knows when a person looked
TASK = "T0"
NATURAL = ("naturalHeight", "naturalWidth")  #: sides of the image, px
NOBODY = "not-logged-in"  #: of rows that we write: nobody knows who looked; names of Zooniverse go on after it

Look = tuple[str, str]  #: a person and a workflow
Cells = Mapping[str, str]


def read_zooniverse(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of an export; who looked at one twice in one workflow counts with the last look.

    Raises
    ------
    UserError
        If it cannot be read, or a cell breaks the format.
    """
    file = path / FILE if path.is_dir() else path
    looks: dict[str, dict[Look, AnnotatedImage]] = {}
    repeated: set[str] = set()
    for line, cells in _rows(file):
        with within(f"{file} line {line}"):
            image, look = _image(cells), (_person(cells), cells.get("workflow_id", ""))
        before = looks.setdefault(image.name, {})
        if look in before:
            repeated.add(image.name)
        before[look] = image
    for name, found in looks.items():
        yield _together(name, list(found.values()), repeated=name in repeated)


def _together(name: str, looks: Sequence[AnnotatedImage], *, repeated: bool) -> AnnotatedImage:
    """Return an image with what all people drew in it."""
    beside = dict.fromkeys(each for look in looks for each in look.passed_over)
    sized = next((each for each in looks if each.height_px), looks[0])
    return AnnotatedImage(
        name=name,
        height_px=sized.height_px,
        width_px=sized.width_px,
        objects=tuple(each for look in looks for each in look.objects),
        annotators=tuple(dict.fromkeys(person for look in looks for person in look.annotators)),
        passed_over=(*beside, *(["earlier looks of the same person"] if repeated else ())),
    )


def _rows(file: Path) -> Iterator[tuple[int, Cells]]:
    with _long_cells(), within(str(file)), read_sheet(file) as sheet:
        names = [name.strip() for name in sheet.header]
        if missing := [name for name in NEEDED if name not in names]:
            raise UserError(f"it has no column {', '.join(missing)}; export the classifications of the project again")
        for line, cells in sheet.lines:
            if len(cells) != len(names):
                raise UserError(f"line {line} has {len(cells)} cells, expected {len(names)} as in the first line")
            yield line, dict(zip(names, cells, strict=True))


@contextmanager
def _long_cells() -> Iterator[None]:
    """Read cells of any length: one outline drawn by hand has thousands of corners."""
    limit = csv.field_size_limit(MAX_FILE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _person(cells: Cells) -> str:
    person = text_in(plain(cells["user_name"]), "user_name")
    return "" if person == NOBODY else person


def _image(cells: Cells) -> AnnotatedImage:
    """Return an image with what one person drew in it at one look."""
    person = _person(cells)
    objects, beside = [], []
    for task in list_in(_json(cells, "annotations"), "annotations"):
        told = record_in(task, "a task")
        value = told.get("value")
        marks = [each for each in value if is_mark(each)] if isinstance(value, list) else []
        for number, mark in enumerate(marks, start=1):
            with within(f"annotations, mark {number} of task {told.get('task')!r:.20}"):
                found = shape_of(mark)
                if found is None:
                    beside.append("marks of tools that tell no extent")
                else:
                    objects.append(AnnotatedObject(label=label_of(mark, told), shape=found, annotator=person))
        if value and (not isinstance(value, list) or len(marks) < len(value)):
            beside.append("answers to questions")
        if any(mark.get("details") for mark in marks):
            beside.append("answers about marks")
    height, width = _size(cells)
    return AnnotatedImage(
        name=_name(record_in(_json(cells, "subject_data"), "subject_data")),
        height_px=height,
        width_px=width,
        objects=tuple(objects),
        annotators=(person,) if person else (),
        passed_over=tuple(dict.fromkeys(beside)),
    )


def _json(cells: Cells, column: str) -> Any:
    with within(column):
        return loads(cells[column].encode("utf-8", "surrogateescape"), UserError)


def _name(subjects: Mapping[str, Any]) -> str:
    """Return the file of the one subject of a row: by a fact that is called so, else by the first that looks so."""
    ((number, told),) = subjects.items()
    facts = {key.strip("#/! ").casefold(): value for key, value in record_in(told, "a subject").items()}
    texts = {key: value for key, value in facts.items() if isinstance(value, str)}
    named = next((texts[key] for key in NAMED if texts.get(key, "").strip()), None)
    like = next((each for each in texts.values() if each.strip().lower().endswith(SUFFIXES)), None)
    if not (name := named or like):
        raise UserError(f"no fact of subject {number:.30} names its file, such as {NAMED[0]}; add it to the manifest")
    try:
        return name_in(name.strip())
    except UserError:  # the whole path on the computer from which it was uploaded
        return last_name_in(name.strip())


def _size(cells: Cells) -> tuple[int, int]:
    """Return height and width of the image, zeros where the row does not tell."""
    if not cells.get("metadata"):
        return 0, 0
    told = record_in(_json(cells, "metadata"), "metadata").get("subject_dimensions")
    first = told[0] if isinstance(told, list) and told else None
    if not isinstance(first, dict) or not all(map(first.get, NATURAL)):  # 0 where the browser had no picture yet
        return 0, 0
    height, width = (side_in(first[each], each) for each in NATURAL)
    return height, width


def write_zooniverse(images: Sequence[AnnotatedImage], path: Path, options: WriteOptions) -> None:
    """Write a table as Zooniverse exports it, a row for each person and image.

    Raises
    ------
    UserError
        If an image with painted masks tells no size, or scikit-image is missing to outline them.
    """
    looks = [
        {**_subject(image, number), "user_name": person or NOBODY, "annotations": _drawn(image, found)}
        for number, image in enumerate(images, start=1)
        for person, found in (image.by_annotator or {"": ()}).items()
    ]
    rows = [{"classification_id": str(number), **look} for number, look in enumerate(looks, start=1)]
    write_whole(path, csv_text(COLUMNS, rows))


def _subject(image: AnnotatedImage, number: int) -> dict[str, str]:
    sides = {"naturalHeight": image.height_px, "naturalWidth": image.width_px}
    return {
        "workflow_id": "1",
        "workflow_name": "annotations",
        "workflow_version": "1.1",
        "created_at": CREATED_AT,
        "metadata": _text({"subject_dimensions": [sides]} if image.height_px else {}),
        "subject_data": _text({str(number): {"Filename": image.name}}),
        "subject_ids": str(number),
    }


def _drawn(image: AnnotatedImage, found: Sequence[AnnotatedObject]) -> str:
    marks = [mark for each in found for mark in _marks(image, each)]
    return _text([{"task": TASK, "task_label": "Draw", "value": marks}])


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _marks(image: AnnotatedImage, found: AnnotatedObject) -> Iterator[dict[str, Any]]:
    shape = found.shape
    if isinstance(shape, Boxed | Placed):
        yield from mark_of(found.label, shape)
    elif whole := outlined(shape, image.height_px, image.width_px):
        yield from mark_of(found.label, whole)


ZOONIVERSE = AnnotationFormat(
    meaning="the classifications of a Zooniverse project, as a CSV file",
    read=read_zooniverse,
    write=write_zooniverse,
    file=FILE,
    instead={
        Trait.MASKS: "outlined",
        Trait.PLACES: "each place, and each stretch of a line, becomes an object",
        Trait.PARTS: "each part becomes an object",
        Trait.HOLES: "the holes are filled",
        Trait.FAINT: "that they are is not kept",
        Trait.CROWDS: "that they are many is not kept",
        Trait.SUPERCATEGORIES: "not kept",
        Trait.ORIENTED_BOXES: "not kept",
        Trait.PROBABILITIES: "not kept",
        Trait.SCALES: "not kept",
    },
)
