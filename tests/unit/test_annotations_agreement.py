"""How far people agree who drew in the same images, and what most of them drew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges, Placed
from crystal_search.annotations.annotator_agreement import agreement_rows, attributed, merged
from crystal_search.annotations.drawn_shapes import pixels_of
from crystal_search.annotations.object_overlaps import SAME, clusters, matched, overlaps
from crystal_search.annotations.what_most_drew import agreed
from crystal_search.errors import UserError
from tests.unit.annotation_strategies import HEIGHT, WIDTH, boxes, objects


def box(*edges: int | str) -> AnnotatedObject:
    """Return a box of four edges; after them its annotator and its class may be told."""
    top, left, bottom, right = (edge for edge in edges if isinstance(edge, int))
    person, label = ([each for each in edges if isinstance(each, str)] + ["", "crystal"][len(edges) - 4 :])[:2]
    return AnnotatedObject(label=label, shape=Boxed(Edges(top, left, bottom, right)), annotator=person)


def image(*found: AnnotatedObject, people: tuple[str, ...] = (), name: str = "a.png") -> AnnotatedImage:
    return AnnotatedImage(name=name, height_px=10, width_px=20, objects=found, annotators=people)


def test_overlaps_are_of_pixels() -> None:
    found = overlaps(image(), [box(0, 0, 4, 4), box(0, 10, 2, 12)], [box(0, 0, 4, 2), box(5, 5, 6, 6)])
    np.testing.assert_allclose(found, [[0.5, 0.0], [0.0, 0.0]])


def test_each_is_the_same_as_one_other_at_most_and_the_whole_overlaps_most() -> None:
    assert matched(np.array([[0.9, 0.8], [0.8, 0.1]])) == [0.8, 0.8]
    assert matched(np.array([[0.6, 0.49]])) == [0.6]
    assert matched(np.zeros((0, 3))) == []


def test_rows_by_hand() -> None:
    first = image(
        box(0, 0, 4, 4, "ann"),
        box(6, 0, 8, 2, "ann"),
        box(0, 0, 4, 2, "bob"),
        box(6, 10, 8, 12, "bob", "drop"),
        AnnotatedObject(label="drop", shape=Placed(((1.0, 1.0),)), annotator="ann"),
        people=("ann", "bob"),
    )
    second = image(people=("bob", "cy"), name="b.png")
    rows = {(row["person"], row["other_person"], row["class"]): row for row in agreement_rows([first, second])}
    pair = rows["ann", "bob", "all"]
    assert (pair["images"], pair["objects"], pair["other_objects"], pair["matched"]) == (1, 2, 2, 1)
    assert (pair["f1_percent"], pair["mean_iou"]) == (50.0, 0.5)
    crystals = rows["ann", "bob", "crystal"]
    assert (crystals["objects"], crystals["other_objects"], crystals["f1_percent"]) == (2, 1, 66.67)
    nothing = rows["bob", "cy", "all"]
    assert (nothing["images"], nothing["objects"], nothing["f1_percent"], nothing["mean_iou"]) == (1, 0, None, None)
    assert rows["", "", "all"]["f1_percent"] == 50.0
    assert rows["bob", "", "all"]["images"] == 2
    assert ("ann", "cy", "all") not in rows
    assert rows["bob", "ann", "crystal"]["matched"] == 1


def test_an_interval_holds_its_figure_and_is_wider_than_nothing_where_images_differ() -> None:
    same = [image(box(0, 0, 4, 4, "ann"), box(0, 0, 4, 4, "bob"), name=f"{n}.png") for n in range(5)]
    other = [image(box(0, 0, 4, 4, "ann"), box(5, 5, 9, 9, "bob"), name=f"x{n}.png") for n in range(5)]
    (row,) = [each for each in agreement_rows(same + other) if each["person"] == each["other_person"] == ""][:1]
    assert row["f1_percent"] == 50.0
    low, high = row["f1_percent_low"], row["f1_percent_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0 < low < 50 < high < 100


def test_two_files_are_two_people_and_endings_make_no_difference() -> None:
    one = attributed([image(box(0, 0, 4, 4))], "first")
    other = attributed([image(box(0, 0, 4, 4), name="a.jpg"), image(name="b.jpg")], "second")
    both, alone = merged([*one, *other])
    assert both.annotators == ("first", "second")
    assert [each.annotator for each in both.objects] == ["first", "second"]
    assert alone.annotators == ("second",)
    with pytest.raises(UserError, match="told to have 10 x 20 px and 11 x 20 px"):
        merged([image(), AnnotatedImage(name="a.png", height_px=11, width_px=20)])
    with pytest.raises(UserError, match="no two people looked at the same image"):
        agreement_rows([alone])


def test_what_most_people_drew_by_hand() -> None:
    drawn = image(
        box(0, 0, 4, 4, "ann"),
        box(0, 0, 4, 3, "bob"),
        box(0, 0, 4, 3, "cy"),
        box(6, 10, 9, 19, "ann"),
        box(0, 0, 4, 4, "ann", "drop"),
        people=("ann", "bob", "cy"),
    )
    (found,) = agreed(drawn).objects
    assert found.label == "crystal"
    assert found.annotator == ""
    expected = np.zeros((10, 20), np.bool_)
    expected[:4, :3] = True
    np.testing.assert_array_equal(pixels_of(drawn, found), expected)
    expected[:4, 3] = True
    np.testing.assert_array_equal(pixels_of(drawn, agreed(drawn, "union").objects[0]), expected)
    idle = image(box(0, 0, 4, 4, "ann"), people=("ann", "bob"))
    assert agreed(idle).objects == ()  # of two, both must have drawn it
    alone = image(box(0, 0, 4, 4, "ann"), people=("ann",))
    assert agreed(alone) == alone


@settings(max_examples=50)
@given(drawn=st.lists(objects(boxes()), max_size=6))
def test_in_a_group_each_is_the_same_as_each_other_and_no_two_are_of_one_person(drawn: list[AnnotatedObject]) -> None:
    whole = AnnotatedImage(name="a.png", height_px=HEIGHT, width_px=WIDTH, objects=tuple(drawn))
    groups = clusters(whole, drawn)
    assert sorted(map(id, drawn)) == sorted(id(each) for group in groups for each in group)
    for group in groups:
        assert len({each.annotator for each in group}) == len(group)
        assert (overlaps(whole, group, group) >= SAME - 1e-9).all() or len(group) == 1


@settings(max_examples=50)
@given(drawn=st.lists(objects(boxes()), min_size=1, max_size=4))
def test_whoever_draws_the_same_agrees_wholly(drawn: list[AnnotatedObject]) -> None:
    first = [AnnotatedObject(label=each.label, shape=each.shape) for each in drawn]
    whole = AnnotatedImage(name="a.png", height_px=HEIGHT, width_px=WIDTH, objects=tuple(first))
    if any(not pixels_of(whole, each).any() for each in first):
        return
    rows = agreement_rows(merged([*attributed([whole], "x"), *attributed([whole], "y")]))
    assert all((row["f1_percent"], row["mean_iou"]) == (100.0, 1.0) for row in rows)
