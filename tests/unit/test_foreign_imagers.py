"""The twelve foreign imagers: each leaves a range that was trained on, and is rendered from written seeds."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from benchmarks.foreign import foreign_plates
from benchmarks.foreign.__main__ import recipe_rows
from benchmarks.foreign.foreign_plates import PLATES, WELLS, ForeignWell, jpeg_of, wells_of
from benchmarks.foreign.imagers import IMAGERS, TRAINED, ForeignImager
from crystal_search.errors import CrystalSearchError
from crystal_search.outcomes import Group, outcome_named
from crystal_search.synthesis.frames import UNITS_PER_WIDTH, Frame
from crystal_search.synthesis.pictures import camera, optics
from crystal_search.synthesis.pictures.optics import drawn_optics
from crystal_search.synthesis.things import vessel
from crystal_search.synthesis.things.vessel import drawn_vessel
from crystal_search.training import crops, view_augmentation

NAMED = pytest.mark.parametrize("imager", IMAGERS, ids=lambda imager: imager.name)
FRAME = Frame(0, 0, 40, 48, 48 / UNITS_PER_WIDTH, torch.device("cpu"))


def in_place(imager: ForeignImager, seed: int = 0) -> dict[str, float]:
    """Return what an imager has where ranges were trained on."""
    rng = np.random.default_rng(seed)
    plain = drawn_vessel(rng, FRAME, rng)
    well, lens = imager.equipment(replace(plain, tint=torch.ones_like(plain.tint)), drawn_optics(rng))
    by_colour = well.tint[:, 20, 24]
    return {
        "aperture": lens.aperture,
        "lamp off the axis, over the aperture": float(np.hypot(*lens.lamp)) / lens.aperture,
        "light however steep the slope": lens.floor,
        "defocus, units": lens.defocus,
        "blur, units": lens.blur,
        "gamma": lens.gamma,
        "noise, of full scale": imager.camera.noise,
        "JPEG quality": imager.camera.quality,
        "units that the view is wide": imager.view_units,
        "full light, least of red, green and blue over the greatest": float(by_colour.min() / by_colour.max()),
        "light in the corners over that in the middle": imager.equipment.corners,
    }


@NAMED
def test_each_leaves_the_range_that_it_names(imager: ForeignImager) -> None:
    low, high = TRAINED[imager.leaves]
    assert not low <= imager.value <= high
    assert in_place(imager)[imager.leaves] == pytest.approx(imager.value, abs=0.01)


@NAMED
def test_what_an_imager_does_not_name_is_as_drawn(imager: ForeignImager) -> None:
    drawn = drawn_optics(np.random.default_rng(5))
    plain = drawn_vessel(np.random.default_rng(6), FRAME, np.random.default_rng(7))
    _, lens = imager.equipment(plain, drawn)
    named = {name for name in ("aperture", "floor", "defocus", "blur", "gamma") if getattr(imager.equipment, name)}
    assert {
        name
        for name in ("aperture", "floor", "defocus", "blur", "gamma")
        if getattr(lens, name) != getattr(drawn, name)
    } == named


def test_the_ranges_are_those_of_the_renderer_and_of_training() -> None:
    gamma = [
        each * np.exp(sign * view_augmentation.GAMMA_LOG_RANGE)
        for each, sign in zip(optics.GAMMA, (-1, 1), strict=True)
    ]
    steps = crops.USUAL_STEP + crops.NEARER_STEP
    found = {
        "aperture": optics.APERTURE,
        "lamp off the axis, over the aperture": optics.LAMP,
        "light however steep the slope": optics.FLOOR,
        "defocus, units": optics.DEFOCUS,
        "blur, units": optics.BLUR,
        "gamma": tuple(gamma),
        "noise, of full scale": (0.0, max(camera.NOISE[1], view_augmentation.NOISE_RANGE[1])),
        "JPEG quality": (min(camera.QUALITY[0], view_augmentation.JPEG_RANGE[0]), 100.0),
        "units that the view is wide": (min(steps) * UNITS_PER_WIDTH, max(steps) * UNITS_PER_WIDTH),
    }
    for name, (low, high) in found.items():
        np.testing.assert_allclose(TRAINED[name], (low, high), rtol=0.01, err_msg=name)


def test_no_lamp_that_is_drawn_leaves_the_ranges() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        tint = vessel._lamp(rng, FRAME)
        grey = tint.mean(dim=0)
        corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]].mean() / grey[20, 24]
        colours = tint.mean(dim=(1, 2))
        assert TRAINED["light in the corners over that in the middle"][0] < corners
        assert TRAINED["full light, least of red, green and blue over the greatest"][0] < colours.min() / colours.max()


def test_plates_hold_all_groups_and_a_third_of_crystals() -> None:
    groups = [None if name is None else outcome_named(name).group for name in WELLS]
    assert set(groups) == {*Group, None}
    assert groups.count(Group.CRYSTAL) == len(groups) / 3
    assert len(list(wells_of(IMAGERS[0]))) == PLATES * len(WELLS) == 144


def test_a_well_is_the_same_every_time_and_as_wide_as_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_plates, "SIZE", (256, 320))
    well = ForeignWell(imager=IMAGERS[0].name, plate=3, number=0)
    data = jpeg_of(IMAGERS[0], 0, well)
    assert data == jpeg_of(IMAGERS[0], 0, well)
    assert data != jpeg_of(IMAGERS[0], 0, replace(well, plate=4))
    assert Pillow.open(io.BytesIO(data)).size == (320, 256)


def test_crystals_that_nobody_can_see_in_the_picture_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_plates, "SIZE", (256, 320))
    monkeypatch.setattr(foreign_plates, "MOST_TRIES", 2)
    blind = replace(IMAGERS[0], camera=replace(IMAGERS[0].camera, noise=0.6))
    with pytest.raises(CrystalSearchError, match="thumbnails shows no crystal_harvestable; take another lens"):
        jpeg_of(blind, 0, ForeignWell(imager=blind.name, plate=0, number=0))
    assert jpeg_of(blind, 0, ForeignWell(imager=blind.name, plate=0, number=WELLS.index("clear")))


def test_a_picture_tells_crystals_apart_from_noise() -> None:
    eye = replace(IMAGERS[0].camera, noise=0.02, quality=95)
    blank = np.full((256, 320, 3), 150, np.uint8)
    spotted = blank.copy()
    spotted[100:110, 100:110] = 90
    files = [eye.file(np.random.default_rng(0), picture) for picture in (blank, spotted)]
    assert eye.tells_apart(*files)
    assert not eye.tells_apart(files[0], eye.file(np.random.default_rng(0), blank))


def test_the_table_of_recipes_has_a_line_for_each() -> None:
    lines = list(recipe_rows())
    assert len(lines) == 2 + 12
    assert len({imager.name for imager in IMAGERS}) == 12
