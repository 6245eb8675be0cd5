"""Marks that people draw on Zooniverse, by the numbers that its two generations of drawing tools keep.

The older ones tell where a mark is as ``x`` and ``y`` (of a rectangle its upper left corner), the newer ones as
``x_center`` and ``y_center``. Angles are degrees, from columns towards rows; the older ellipse turns the other way.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from crystal_search.annotations.annotated_image import Boxed, Edges, Outlined, Placed, Polygon, Ring, Shape
from crystal_search.annotations.drawn_shapes import ellipse, turned_rectangle
from crystal_search.annotations.foreign_values import (
    MAX_CORNER_PX,
    corner_in,
    list_in,
    number_in,
    record_in,
    ring_in,
    text_in,
)

Mark = Mapping[str, Any]
FULL_TURN = 360.0


def is_mark(value: Any) -> bool:
    """Tell whether a value is something that was drawn, and no answer."""
    return isinstance(value, dict) and any(key in value for key in (*_KEYS, "tool", "toolType", "toolIndex"))


def label_of(mark: Mark, task: Mark) -> str:
    """Return what the tool of a mark is called, or its number, where the export leaves the name out."""
    if mark.get("tool_label"):
        return text_in(mark["tool_label"], "tool_label")
    tool = mark.get("toolIndex", mark.get("tool", 0))
    return text_in(f"{task.get('task', 'T0')} tool {tool}", "a tool")


def shape_of(mark: Mark) -> Shape | None:
    """Return what was drawn, None where the tool draws nothing that has corners.

    Raises
    ------
    UserError
        If a number is missing, or cannot be.
    """
    return next((read(mark) for keys, read in _SHAPES.items() if set(keys) <= mark.keys()), None)


def _path(mark: Mark) -> Shape:
    xs, ys = list_in(mark["pathX"], "pathX"), list_in(mark["pathY"], "pathY")
    return _polygon(ring_in(list(zip(xs, ys, strict=True)), at_least=1))


def _points(mark: Mark) -> Shape:
    points = [record_in(each, "a point") for each in list_in(mark["points"], "points")]
    return _polygon(ring_in([(each.get("x"), each.get("y")) for each in points], at_least=1))


def _polygon(ring: Ring) -> Shape:
    """Return an outline; what a slip of the mouse leaves has too few corners for one."""
    corners = ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring
    return Outlined((Polygon(corners),)) if len(corners) > len(("a", "line")) else Placed(ring, joined=len(ring) > 1)


def _size(mark: Mark, *keys: str) -> tuple[float, ...]:
    return tuple(number_in(mark[key], key, 0, MAX_CORNER_PX) for key in keys)


def _angle(mark: Mark) -> float:
    return math.radians(number_in(mark.get("angle") or 0.0, "angle", -FULL_TURN, FULL_TURN))


def _box(mark: Mark) -> Shape:
    top, left = corner_in(mark["x"], mark["y"])
    width, height = _size(mark, "width", "height")
    if _angle(mark):
        return Outlined((Polygon(turned_rectangle(top + height / 2, left + width / 2, (width, height), _angle(mark))),))
    return Boxed(Edges(top, left, top + height, left + width))


def _centred_box(mark: Mark) -> Shape:
    width, height = _size(mark, "width", "height")
    row, column = corner_in(mark["x_center"], mark["y_center"])
    return _box({**mark, "x": column - width / 2, "y": row - height / 2})


def _ellipse(mark: Mark) -> Shape:
    row, column = corner_in(mark["x"], mark["y"])
    across, down = _size(mark, "rx", "ry")
    return Outlined((Polygon(ellipse(row, column, (across, down), -_angle(mark))),))


def _centred_ellipse(mark: Mark) -> Shape:
    row, column = corner_in(mark["x_center"], mark["y_center"])
    across, down = _size(mark, "rx", "ry")
    return Outlined((Polygon(ellipse(row, column, (across, down), _angle(mark))),))


def _circle(mark: Mark) -> Shape:
    row, column = corner_in(mark.get("x_center", mark.get("x")), mark.get("y_center", mark.get("y")))
    (radius,) = _size(mark, "r")
    return Outlined((Polygon(ellipse(row, column, (radius, radius))),))


def _line(mark: Mark) -> Shape:
    return Placed((corner_in(mark["x1"], mark["y1"]), corner_in(mark["x2"], mark["y2"])), joined=True)


def _point(mark: Mark) -> Shape:
    return Placed((corner_in(mark["x"], mark["y"]),))


#: What reads a mark by the keys that it has; the first that fits.
_SHAPES: dict[tuple[str, ...], Callable[[Mark], Shape]] = {
    ("pathX", "pathY"): _path,
    ("points",): _points,
    ("x_center", "y_center", "rx", "ry"): _centred_ellipse,
    ("x_center", "y_center", "width", "height"): _centred_box,
    ("x_center", "y_center", "r"): _circle,
    ("x", "y", "rx", "ry"): _ellipse,
    ("x", "y", "width", "height"): _box,
    ("x", "y", "r"): _circle,
    ("x1", "y1", "x2", "y2"): _line,
    ("x", "y"): _point,
}
_KEYS = {key for keys in _SHAPES for key in keys}


def mark_of(label: str, shape: Outlined | Boxed | Placed) -> Iterator[dict[str, Any]]:
    """Yield the marks, as the older tools keep them, that draw a shape; holes are filled."""
    common = {"tool": 0, "frame": 0, "details": [], "tool_label": label}
    match shape:
        case Boxed((top, left, bottom, right)):
            yield common | {"x": left, "y": top, "width": right - left, "height": bottom - top}
        case Outlined(parts):
            for each in parts:
                yield common | {"closed": True, "points": [{"x": x, "y": y} for y, x in each.outline]}
        case Placed(corners, joined) if joined and len(corners) > 1:
            yield from (
                common | {"x1": x, "y1": y, "x2": x_next, "y2": y_next}
                for (y, x), (y_next, x_next) in pairwise(corners)
            )
        case Placed(corners):
            yield from (common | {"x": x, "y": y} for y, x in corners)
