"""Reading masks that people drew."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.datasets.drawn_masks import mask_in, mask_over, mask_png
from crystal_search.datasets.whole_images import map_over
from crystal_search.errors import ImageError


def png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def square(value: int, *, of: int = 0, mode: str = "L") -> bytes:
    pixels = np.full((8, 10), of, np.uint8)
    pixels[2:5, 3:7] = value
    stream = io.BytesIO()
    Pillow.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def test_bright_is_drop_however_it_was_saved() -> None:
    expected = np.zeros((8, 10), np.bool_)
    expected[2:5, 3:7] = True
    cut_out = np.zeros((8, 10, 4), np.uint8)
    cut_out[:, :, :3] = 200  # all is light, but only the square can be seen
    cut_out[2:5, 3:7, 3] = 255
    drawn = [square(255), square(255, mode="RGB"), square(255, mode="1"), square(200, of=40), square(1), png(cut_out)]
    for data in drawn:
        np.testing.assert_array_equal(mask_in(data), expected)


def labelled(*colours: tuple[int, int, int], mode: str = "P", kind: str = "PNG") -> bytes:
    """Return a picture whose squares have the labels 1, 2, ... in these colours, on black."""
    labels = np.zeros((16, 40), np.uint8)
    for number in range(len(colours)):
        labels[4:10, 4 + 9 * number : 10 + 9 * number] = number + 1
    picture = Pillow.fromarray(labels, "L").convert("P")
    picture.putpalette([channel for colour in ((0, 0, 0), *colours) for channel in colour])
    stream = io.BytesIO()
    picture.convert(mode).save(stream, kind)
    return stream.getvalue()


LABELME = [(128, 0, 0), (0, 128, 0), (64, 0, 0), (192, 128, 128)]  #: labels 1, 2, 8, 15


@pytest.mark.parametrize(
    "data",
    [labelled(*LABELME), labelled(*LABELME[:1]), labelled((64, 0, 0)), labelled(*LABELME[:3], mode="RGB")],
    ids=["palette", "one label", "a dark label", "colours"],
)
def test_coloured_labels_are_drop_wherever_there_is_one(data: bytes) -> None:
    squares = np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).any(axis=2)
    assert squares.sum() in (36, 108, 144)
    np.testing.assert_array_equal(mask_in(data), squares)


def test_a_palette_of_greys_is_read_by_its_colours_not_by_its_numbers() -> None:
    pixels = np.full((8, 10), 1, np.uint8)
    pixels[2:5, 3:7] = 0
    picture = Pillow.fromarray(pixels, "L").convert("P")
    picture.putpalette([255, 255, 255, 0, 0, 0])  # number 0 is white
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    np.testing.assert_array_equal(mask_in(stream.getvalue()), pixels == 0)


def test_a_black_mask_is_an_empty_well() -> None:
    assert not mask_in(square(0)).any()


def test_a_mask_without_anything_bright_is_refused() -> None:
    with pytest.raises(ImageError, match=r"the mask is 90 of 255 at its brightest; paint the drop white"):
        mask_in(square(90))


def test_a_mask_that_is_larger_than_any_image_is_refused_before_it_is_unpacked() -> None:
    wide = png(np.full((8, 10_001), 255, np.uint8))
    with pytest.raises(ImageError, match="the mask has 10001 x 8 px; each side has at most 10000"):
        mask_in(wide)


@pytest.mark.parametrize("data", [b"", b"no picture", square(255)[:40]])
def test_a_mask_that_does_not_decode_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"the mask does not decode"):
        mask_in(data)
    with pytest.raises(ImageError, match=r"the map of outcomes does not decode"):
        map_over(data, (8, 10))


def test_a_mask_of_another_image_is_refused() -> None:
    assert mask_over(square(255), (80, 100, 3)).shape == (8, 10)
    with pytest.raises(ImageError, match="10 x 8 px, other proportions than the image"):
        mask_over(square(255), (100, 80))


@pytest.mark.parametrize("value", [1, 200, 255])
def test_a_mask_is_kept_in_black_and_white(value: int) -> None:
    np.testing.assert_array_equal(mask_in(mask_png(mask_in(square(value)))), mask_in(square(255)))
