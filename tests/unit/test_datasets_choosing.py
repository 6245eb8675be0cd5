from pathlib import Path

import numpy as np
import pytest

from crystal_search.archives.archive import Archive
from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.building import scheme_for
from crystal_search.datasets.chop_recipe import (
    NO_UV_CONTOUR,
    NO_UV_IMAGE,
    THRESHOLDS,
    TOO_FEW_CONTOURS,
    Recipe,
    Seen,
    as_people_said,
    thresholds_with,
)
from crystal_search.datasets.chopping import encoded, patch_around, tiles
from crystal_search.datasets.dataset_command import kind_of, shares_of
from crystal_search.datasets.known_drops import Drop
from crystal_search.errors import UserError
from crystal_search.geometry import Box
from crystal_search.images import local_contrast


def seen(*, inside: float = 0, everywhere: float = 0, at_border: bool = False, uv: float | None = None) -> Seen:
    return Seen(inside=inside, everywhere=everywhere, at_border=at_border, uv=uv)


@pytest.mark.parametrize("outcome", sorted({*THRESHOLDS} - {"uv", "clear", "rim"}))
def test_what_shows_too_little_is_left_out(outcome: str) -> None:
    least = THRESHOLDS[outcome]
    assert as_people_said(outcome, seen(inside=least + 1), Recipe()) == (outcome, "")
    assert as_people_said(outcome, seen(inside=least, everywhere=9999), Recipe()) == (None, TOO_FEW_CONTOURS)


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        (seen(everywhere=151, at_border=True), "rim"),
        (seen(everywhere=150, at_border=True), "clear"),
        (seen(everywhere=151, at_border=False), "clear"),
    ],
)
def test_the_border_of_a_clear_drop_is_rim_where_it_shows(shown: Seen, outcome: str) -> None:
    assert as_people_said("clear", shown, Recipe()) == (outcome, "")


def test_only_a_clear_drop_has_a_rim() -> None:
    shown = seen(inside=200, everywhere=9999, at_border=True)
    assert as_people_said("precipitate", shown, Recipe()) == ("precipitate", "")


@pytest.mark.parametrize(
    ("how", "uv", "expected"),
    [
        ("prefer", None, ("crystal_bad_form", "")),
        ("prefer", 41.0, ("crystal_bad_form", "")),
        ("prefer", 40.0, (None, NO_UV_CONTOUR)),
        ("require", None, (None, NO_UV_IMAGE)),
        ("require", 41.0, ("crystal_bad_form", "")),
        ("require", 0.0, (None, NO_UV_CONTOUR)),
        ("ignore", None, ("crystal_bad_form", "")),
        ("ignore", 0.0, ("crystal_bad_form", "")),
    ],
)
def test_what_a_uv_image_must_show(how: str, uv: float | None, expected: tuple[str | None, str]) -> None:
    assert as_people_said("crystal_bad_form", seen(inside=500, uv=uv), Recipe(uv=how)) == expected


def test_thresholds_can_be_changed() -> None:
    changed = thresholds_with(["other=12.5", "rim=0"])
    assert (changed["other"], changed["rim"], changed["clear"]) == (12.5, 0, THRESHOLDS["clear"])


@pytest.mark.parametrize("text", ["rim", "rim=", "rim=much", "edge=3", "rim=-1", "rim=nan", "rim=inf"])
def test_a_threshold_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=text):
        thresholds_with([text])


@pytest.mark.parametrize("text", ["80/20", "a/b/c", "0/0/0", "80/10/10/10", "8/1/-1", "nan/1/1"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="three numbers"):
        shares_of(text)


def scored(scheme: str) -> Archive:
    return Archive(name=f"archive in {scheme}", scheme=SCHEMES[scheme], images=lambda: iter(()))


@pytest.mark.parametrize(
    ("schemes", "classes", "expected"),
    [
        (["outcomes-13"], None, "outcomes-13"),
        (["outcomes-13", "groups-4"], None, "groups-4"),
        (["outcomes-13", "vmxi-10"], None, "groups-5"),
        (["groups-4"], 5, "groups-5"),  # the rim is found here, nobody scores it
        (["outcomes-13"], 4, "groups-4"),
    ],
)
def test_the_coarsest_archive_decides(schemes: list[str], classes: int | None, expected: str) -> None:
    assert scheme_for([scored(each) for each in schemes], classes) == expected


@pytest.mark.parametrize("scheme", ["groups-4", "groups-5", "vmxi-10"])
def test_finer_classes_than_people_used_are_refused(scheme: str) -> None:
    with pytest.raises(UserError, match=f"{scheme}, too coarse for 13"):
        scheme_for([scored("outcomes-13"), scored(scheme)], 13)


def test_the_kind_of_an_archive_is_seen_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "sorted" / "clear").mkdir(parents=True)
    assert kind_of(tmp_path / "sorted") == "folder"
    assert kind_of(tmp_path / "scores.CSV") == "csv"
    (tmp_path / "home" / "spool").mkdir(parents=True)
    (tmp_path / "home" / "imaging.sqlite").touch()
    assert kind_of(tmp_path / "home") == "imaging"
    with pytest.raises(UserError, match="--from"):
        kind_of(tmp_path / "sorted" / "clear")
    with pytest.raises(UserError, match="there is no"):
        kind_of(tmp_path / "nothing")
    (tmp_path / "sorted" / "clear" / "truth.csv").write_text("file,outcome\n")
    with pytest.raises(UserError, match=r"name the table itself: .*sorted/clear/truth\.csv"):
        kind_of(tmp_path / "sorted" / "clear")


def test_tiles_cover_the_box_inside_it() -> None:
    assert tiles(Box(10, 20, 10 + 256, 20 + 500)) == [Box(10, 20, 266, 276), Box(10, 264, 266, 520)]


@pytest.mark.parametrize(("top", "left"), [(300, 407), (0, 0), (768, 968), (61, 65)])
def test_a_patch_has_the_numbers_of_the_whole_view(top: int, left: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (32, 39)).astype(np.uint8)
    view = np.kron(grey, np.ones((32, 32), np.uint8))[:1024, :1224]  # (1024, 1224)
    box = Box(top, left, top + 256, left + 256)
    patch = patch_around(box, 1024, 1224)
    inside = box.shifted(-patch.top, -patch.left)
    alone = local_contrast(view[patch.slices])[inside.slices]
    np.testing.assert_allclose(alone, local_contrast(view)[box.slices], rtol=0, atol=2e-5)


def test_a_patch_is_a_jpeg_close_to_its_pixels() -> None:
    import simplejpeg

    slope = np.linspace(0, 250, 300).astype(np.uint8)[None].repeat(280, axis=0)
    read = simplejpeg.decode_jpeg(encoded(slope), "GRAY")[:, :, 0]
    assert np.abs(read.astype(int) - slope).max() <= 3
    colours = np.stack([slope, slope[:, ::-1], slope // 2], axis=2)
    read = simplejpeg.decode_jpeg(encoded(colours), "RGB")
    assert np.abs(read.astype(int) - colours).max() <= 12


def test_the_inside_of_a_drop_leaves_its_rim_out() -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[100:400, 100:400] = True
    inside = Drop(mask, Box(100, 100, 400, 400)).inside(256, 256)
    rows = np.flatnonzero(inside.any(axis=1)) * 2
    assert rows[0] == pytest.approx(116, abs=8)
    assert rows[-1] == pytest.approx(384, abs=8)
