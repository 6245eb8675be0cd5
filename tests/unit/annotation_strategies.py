"""Annotated images drawn by hypothesis; sides and corners are such that sums of them are exact."""

import numpy as np
from hypothesis import strategies as st

from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Edges,
    Outlined,
    Painted,
    Placed,
    Polygon,
    Ring,
    Shape,
)
from crystal_search.annotations.drawn_shapes import painted

HEIGHT, WIDTH = 11, 13
LABELS = ("crystal", "drop", "Kristall, groß", "a/b & <c>")
PEOPLE = ("", "ann", "Bob-2")


def corners(draw: st.DrawFn, count: int, *, whole: bool) -> Ring:
    step = 1 if whole else 4
    places = st.tuples(st.integers(0, step * HEIGHT), st.integers(0, step * WIDTH))
    drawn = draw(st.lists(places, min_size=count, max_size=count, unique=True))
    return tuple((row / step, column / step) for row, column in drawn)


@st.composite
def painted_shapes(draw: st.DrawFn) -> Painted:
    bits = draw(st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH))
    return painted(np.array(bits, np.bool_).reshape(HEIGHT, WIDTH))


@st.composite
def boxes(draw: st.DrawFn, *, whole: bool = False) -> Boxed:
    (top, left), (bottom, right) = corners(draw, 2, whole=whole)
    return Boxed(Edges(min(top, bottom), min(left, right), max(top, bottom) + 1, max(left, right) + 1))


@st.composite
def outlines(draw: st.DrawFn, *, parts: int = 2, holes: bool = True, whole: bool = False) -> Outlined:
    count = draw(st.integers(1, parts))
    inside = draw(st.booleans()) and holes
    return Outlined(
        tuple(
            Polygon(
                corners(draw, draw(st.integers(3, 5)), whole=whole),
                (corners(draw, 3, whole=whole),) if inside else (),
            )
            for _ in range(count)
        )
    )


@st.composite
def places(draw: st.DrawFn) -> Placed:
    joined = draw(st.booleans())
    return Placed(corners(draw, draw(st.integers(1 + joined, 4)), whole=False), joined=joined)


SHAPES = st.one_of(painted_shapes(), boxes(), outlines(), places())
BOX = st.tuples(*[st.integers(0, 40).map(float)] * 5)


@st.composite
def objects(draw: st.DrawFn, shapes: st.SearchStrategy[Shape] = SHAPES) -> AnnotatedObject:
    return AnnotatedObject(
        label=draw(st.sampled_from(LABELS)),
        shape=draw(shapes),
        annotator=draw(st.sampled_from(PEOPLE)),
        supercategory=draw(st.sampled_from(("", "cell"))),
        too_faint=draw(st.booleans()),
        crowd=draw(st.booleans()),
        oriented_box=draw(st.one_of(st.just(()), BOX)),
        probability=draw(st.one_of(st.none(), st.sampled_from((0.0, 0.25, 1.0)))),
    )


@st.composite
def images(
    draw: st.DrawFn,
    drawn: st.SearchStrategy[AnnotatedObject] | None = None,
    *,
    blank: bool = True,
    scaled: bool = False,
) -> list[AnnotatedImage]:
    found = draw(st.lists(st.lists(drawn if drawn is not None else objects(), max_size=3), min_size=1, max_size=2))
    idle = draw(st.sampled_from(((), ("Cy",)))) if blank else ()
    return [
        AnnotatedImage(
            name=f"day {number}/a.png",
            height_px=HEIGHT,
            width_px=WIDTH,
            objects=tuple(each),
            um_per_px=draw(st.sampled_from((None, 0.59))) if scaled else None,
            annotators=tuple(dict.fromkeys([*(one.annotator for one in each if one.annotator), *idle])),
        )
        for number, each in enumerate(found)
    ]
