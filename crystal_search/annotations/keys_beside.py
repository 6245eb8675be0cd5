"""What JSON files tell that neither COCO nor labelme has a word for, under the same keys in both."""

from collections.abc import Mapping
from typing import Any, TypedDict

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject
from crystal_search.annotations.foreign_values import list_in, number_in, text_in
from crystal_search.errors import UserError
from crystal_search.formats.scale import PIXEL_UM

BOX_NUMBERS = 5
SCALE = "um_per_px"


class Beside(TypedDict):
    """What an object is made with."""

    annotator: str
    too_faint: bool
    oriented_box: tuple[float, ...]
    probability: float | None


def beside_in(record: Mapping[str, Any]) -> Beside:
    """Return what a record tells.

    Raises
    ------
    UserError
        If it cannot be used.
    """
    score = record.get("score")
    return Beside(
        annotator=text_in(record["annotator"], "an annotator") if record.get("annotator") else "",
        too_faint=bool(record.get("too_faint")),
        oriented_box=_box_in(list_in(record.get("oriented_box") or [], "oriented_box")),
        probability=number_in(score, "score", 0, 1) if isinstance(score, int | float) else None,
    )


def _box_in(numbers: list[Any]) -> tuple[float, ...]:
    if not numbers:
        return ()
    if len(numbers) != BOX_NUMBERS:
        raise UserError(f"an oriented_box of {len(numbers)} numbers; it has {BOX_NUMBERS}")
    column, row, *rest = (number_in(each, "a number of oriented_box") for each in numbers)
    return row, column, *rest


def told_beside(found: AnnotatedObject) -> dict[str, Any]:
    """Return the keys of a record that tell what is known of an object beside its label and shape."""
    told: dict[str, Any] = {"annotator": found.annotator} if found.annotator else {}
    if found.too_faint:
        told["too_faint"] = True
    if found.oriented_box:
        row, column, *rest = found.oriented_box
        told["oriented_box"] = [column, row, *rest]
    if found.probability is not None:
        told["score"] = found.probability
    return told


def people_in(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return who looked at an image."""
    return tuple(text_in(each, "an annotator") for each in list_in(record.get("annotators") or [], "annotators"))


def scale_in(record: Mapping[str, Any]) -> float | None:
    """Return micrometres a pixel of an image; None where nothing is told, or what no microscope has."""
    told, (low, high) = record.get(SCALE), PIXEL_UM
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return float(told) if low <= told <= high else None


def told_of_image(image: AnnotatedImage) -> dict[str, Any]:
    """Return the keys of a record that tell what is known of an image beside its name and size."""
    told: dict[str, Any] = {} if image.um_per_px is None else {SCALE: image.um_per_px}
    return told | ({"annotators": list(image.annotators)} if image.annotators else {})
