import numpy as np
import pytest
from PIL import Image, ImageDraw

from crystal_search.chopper.contours import contour_length, contours_of
from crystal_search.geometry import Box
from crystal_search.images import Grey

WHOLE = Box(0, 0, 256, 256)
LIQUID, DARK = 170, 90


def drawn(shape: str, *, line_px: int = 0, box: tuple[int, int, int, int] = (48, 48, 208, 208)) -> Grey:
    """A disc or a square on liquid; a line of `line_px` in place of a filled one."""
    picture = Image.new("L", (256, 256), LIQUID)
    draw = ImageDraw.Draw(picture)
    how = {"outline": DARK, "width": line_px} if line_px else {"fill": DARK}
    (draw.ellipse if shape == "disc" else draw.rectangle)(box, **how)
    return np.asarray(picture)


def length(grey: Grey) -> float:
    return contour_length(contours_of(grey), WHOLE)


@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_an_empty_chop_has_no_contours(level: int) -> None:
    assert length(np.full((256, 256), level, np.uint8)) == 0


@pytest.mark.parametrize("radius", [15, 40, 80])
def test_a_disc_is_as_long_as_its_perimeter(radius: int) -> None:
    disc = drawn("disc", box=(128 - radius, 128 - radius, 128 + radius, 128 + radius))
    assert length(disc) == pytest.approx(2 * np.pi * radius, rel=0.06)


def test_a_square_is_as_long_as_its_perimeter() -> None:
    assert length(drawn("square")) == pytest.approx(4 * 160, rel=0.05)


def test_a_turned_square_is_as_long_as_a_straight_one() -> None:
    turned = Image.fromarray(drawn("square", box=(80, 80, 176, 176))).rotate(
        30, Image.Resampling.BICUBIC, fillcolor=LIQUID
    )
    assert length(np.asarray(turned)) == pytest.approx(4 * 96, rel=0.06)


def test_a_line_counts_on_both_sides() -> None:
    assert length(drawn("disc", line_px=6)) == pytest.approx(2 * length(drawn("disc")), rel=0.06)


@pytest.mark.parametrize("lamp", [0.4, 0.7, 1.4])
def test_brightness_does_not_matter(lamp: float) -> None:
    disc = drawn("disc")
    assert length(np.rint(disc * lamp).astype(np.uint8)) == pytest.approx(length(disc), rel=0.02)


def test_shading_is_no_contour() -> None:
    slope = np.linspace(60, 220, 256)[None, :].repeat(256, axis=0)
    assert length(slope.astype(np.uint8)) == 0


def test_the_noise_of_a_sensor_is_no_contour() -> None:
    noise = np.random.default_rng(1).normal(0, 4, (256, 256))  # 4 of 255 grey levels
    assert length((LIQUID + noise).astype(np.uint8)) == 0
    assert length(np.clip(drawn("disc") + noise, 0, 255).astype(np.uint8)) == pytest.approx(
        length(drawn("disc")), rel=0.03
    )


def test_only_what_is_in_the_box_counts() -> None:
    contours = contours_of(drawn("disc"))
    halves = [contour_length(contours, Box(0, 0, 256, 128)), contour_length(contours, Box(0, 128, 256, 256))]
    assert sum(halves) == pytest.approx(contour_length(contours, WHOLE))
    assert halves[0] == pytest.approx(halves[1], rel=0.02)
    assert contour_length(contours, Box(96, 96, 160, 160)) == 0


def test_a_box_beyond_the_image_counts_what_is_in_it() -> None:
    contours = contours_of(drawn("disc"))
    assert contour_length(contours, Box(-50, -50, 300, 300)) == contour_length(contours, WHOLE)


def test_odd_sides() -> None:
    assert contours_of(np.zeros((301, 257), np.uint8)).shape == (150, 128)
