"""Wells at several inspections and in several channels."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.main import main
from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming
from crystal_search.robot_names import detected, read_name
from crystal_search.synthesis.frames import Frame, Stamps
from crystal_search.synthesis.polyhedra import gathered, heading_to, polyhedron
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Crystals, Glass, Layer
from crystal_search.synthesis.wells import mates
from crystal_search.synthesis.wells.mates import Material, drawn_material
from crystal_search.synthesis.wells.rendered_well import photograph, render_well, staged
from crystal_search.synthesis.wells.series import Visit, moved_well, render_visits
from crystal_search.synthesis.wells.visits import DAYS, PATTERN, Settings, Well

SIZE = (384, 459)
CRYSTALS = ("crystal_harvestable", "crystal_bad_form", "crystal_overnucleated")
PROTEIN = Material("protein", 0.01, 0.8, chromophore=False)
SALT = Material("salt", 0.05, 0.0, chromophore=False)


@pytest.fixture(scope="module", params=CRYSTALS)
def visits(request: pytest.FixtureRequest) -> tuple[Visit, ...]:
    return render_visits(Well(WellSeed("test", 5), request.param), Settings(size=SIZE, inspections=6, channels=("uv",)))


def test_the_last_visit_is_the_well_itself(visits: tuple[Visit, ...]) -> None:
    outcome = visits[-1].well.outcome
    well = render_well(WellSeed("test", 5), outcome=outcome, height_px=SIZE[0], width_px=SIZE[1])
    np.testing.assert_array_equal(visits[-1].well.image, well.image)
    np.testing.assert_array_equal(visits[-1].well.outcome_map, well.outcome_map)


def test_crystals_appear_and_never_shrink(visits: tuple[Visit, ...]) -> None:
    areas = [sum(len(crystal.rows) for crystal in visit.well.crystals) for visit in visits]
    assert areas[0] == 0
    assert areas == sorted(areas)
    assert areas[-1] > 0
    counts = [len(visit.well.crystals) for visit in visits]
    assert counts == sorted(counts)


def test_what_a_visit_shows_is_told(visits: tuple[Visit, ...]) -> None:
    assert [visit.day for visit in visits] == list(DAYS[:6])
    for visit in visits:
        seen = any(not crystal.too_faint for crystal in visit.well.crystals)
        assert (visit.well.outcome in CRYSTALS) == seen
        assert visit.well.crystal_mask.any() == seen
        assert visit.mates["uv"].shape == visit.well.image.shape
        assert visit.material == visits[0].material
    assert visits[0].well.outcome not in CRYSTALS


def test_the_same_seed_gives_the_same_visits() -> None:
    one, other = (
        render_visits(
            Well(WellSeed("test", 6), "crystal_harvestable"),
            Settings(size=(192, 230), inspections=3, channels=("uv", "cross-polarised")),
        )
        for _ in range(2)
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.well.image, b.well.image)
        for name in ("uv", "cross-polarised"):
            np.testing.assert_array_equal(a.mates[name], b.mates[name])


@pytest.mark.parametrize("outcome", ["precipitate", "phase_separation", "spherulites", "other", "clear", None])
def test_wells_without_crystals_have_visits_too(outcome: str | None) -> None:
    visits = render_visits(
        Well(WellSeed("test", 8), outcome),
        Settings(size=(192, 230), inspections=4, channels=("uv", "cross-polarised")),
    )
    assert visits[-1].well.outcome == outcome
    assert all(visit.material is None and visit.well.crystals == () for visit in visits)
    if outcome in ("precipitate", "phase_separation", None):
        assert {visit.well.outcome for visit in visits} == {outcome}
    if outcome in ("spherulites", "other"):
        assert visits[0].well.outcome != outcome


def test_what_cannot_be_rendered_is_refused() -> None:
    with pytest.raises(UserError, match="give 1 to 8"):
        render_visits(Well(WellSeed("test", 0), "any"), Settings(inspections=9))
    with pytest.raises(UnknownNameError, match="uv, cross-polarised"):
        render_visits(Well(WellSeed("test", 0), "any"), Settings(channels=("infrared",)))


def test_a_moved_picture_takes_its_truth_along() -> None:
    well = render_well(WellSeed("test", 5), outcome="crystal_harvestable", height_px=200, width_px=240, crystals=True)
    shifted = moved_well(well, (-3, 5))
    np.testing.assert_array_equal(shifted.image[:-3, 5:], well.image[3:, :-5])
    np.testing.assert_array_equal(shifted.crystal_mask[:-3, 5:], well.crystal_mask[3:, :-5])
    first, before = shifted.crystals[0], well.crystals[0]
    np.testing.assert_allclose(first.oriented_box - before.oriented_box, [-3, 5, 0, 0, 0])
    assert (first.rows[0] - before.rows[0], first.columns[0] - before.columns[0]) == (-3, 5)
    gone = moved_well(well, (-200, 0))
    assert gone.crystals == ()


FRAME = Frame(0, 0, 60, 80, 1.0, torch.device("cpu"))


def layer_of_one(angle: float) -> Layer:
    """A rod 20 units thick in the middle of `FRAME`, its axis at `angle` from columns towards rows."""
    half_axes = np.array([8.0, 24.0, 10 / 0.66])  # the longest along columns
    body = polyhedron(np.random.default_rng(0), "box", half_axes, heading_to(angle, 0.0), 0.0)
    centre = np.array([[30.0, 40.0]])
    return Layer(
        "crystal_harvestable", crystals=Crystals(centre, centre, gathered([body]), Glass(0, 0.1, None, (1, 1, 1)))
    )


@pytest.mark.parametrize(("degrees", "share"), [(0, 0.0), (22.5, 0.5), (45, 1.0), (90, 0.0), (-45, 1.0)])
def test_a_crystal_between_crossed_polars(degrees: float, share: float) -> None:
    """20 um with a birefringence of 0.01 delay by 200 nm: sin^2(pi 200 / 610) of red light and so on."""
    passed = mates._crystals(layer_of_one(np.deg2rad(degrees)), FRAME, PROTEIN, 0.0, 1.0)[:, 30, 40]
    np.testing.assert_allclose(passed, [share * 0.7349, share * 0.8355, share * 0.9647], atol=0.002)


def test_a_cubic_crystal_stays_dark_between_crossed_polars() -> None:
    cubic = replace(PROTEIN, birefringence=0.0)
    assert mates._crystals(layer_of_one(0.7), FRAME, cubic, 0.0, 1.0).abs().max() == 0


def test_a_spherulite_shows_a_dark_cross_along_the_polars() -> None:
    rows, columns = FRAME.rows() - 30, FRAME.columns() - 40
    ball = torch.hypot(rows, columns) <= 20
    index = torch.nonzero(ball.reshape(-1))[:, 0][None]
    stamps = Stamps(index, torch.ones_like(index, dtype=torch.bool), np.array([0]))
    layer = Layer("spherulites", None, ball * 5.0, stamps=(stamps,))
    drop = Drop(FRAME, ball, torch.hypot(rows, columns) / 25, FRAME.zeros(), 25.0, FRAME.zeros())
    passed = mates._spherulites(layer, drop, 0.0)[1]
    assert float(passed[30, 50]) == pytest.approx(0, abs=1e-3)
    assert float(passed[40, 40]) == pytest.approx(0, abs=1e-3)
    assert passed[37, 47] > 0.5


def glow_of_crystals(material: Material) -> float:
    """Mean grey level where crystals are, in ultraviolet light, over that of the same place without them."""
    seed = WellSeed("test", 12)
    scene, rng = staged(seed, "crystal_harvestable", None, Settings(size=SIZE))
    assert scene.filling is not None
    empty = replace(scene, filling=replace(scene.filling, content=None))
    where = photograph(rng, scene).crystal_mask
    images = (
        mates.fluorescence(seed.generator("uv 0"), seed.generator("imager uv"), each, material)
        for each in (scene, empty)
    )
    crystals, liquor = (float(image[where].mean()) for image in images)
    return crystals / liquor


def test_protein_glows_salt_does_not_and_a_chromophore_dims() -> None:
    protein = glow_of_crystals(PROTEIN)
    dimmed = glow_of_crystals(replace(PROTEIN, fluorescence=0.15, chromophore=True))
    assert protein > dimmed > 1 > glow_of_crystals(SALT)


def test_substances_are_as_they_are_described() -> None:
    drawn = [drawn_material(np.random.default_rng(number)) for number in range(400)]
    salts = [each for each in drawn if each.kind == "salt"]
    assert len(salts) / len(drawn) == pytest.approx(0.2, abs=0.06)
    assert all(each.fluorescence == 0 and not each.chromophore for each in salts)
    dim = [each.fluorescence for each in drawn if each.chromophore]
    bright = [each.fluorescence for each in drawn if each.kind == "protein" and not each.chromophore]
    assert np.median(dim) < 0.5 * np.median(bright)
    assert np.median([each.birefringence for each in salts]) > 0.02


def written(folder: Path, *words: str) -> list[dict[str, str]]:
    size = ("--width", "160", "--height", "130", "--split", "test")
    assert main(["render", *words, "--out", str(folder), *size]) == 0
    return list(csv.DictReader((folder / "truth.csv").read_text().splitlines()))


def test_single_wells_are_written_with_all_their_visits(tmp_path: Path) -> None:
    lines = written(
        tmp_path, "wells", "--count", "2", "--inspections", "6", "--channels", "uv", "--outcome", "crystal_harvestable"
    )
    assert [line["file"] for line in lines] == [
        f"0000{well}_{visit}_visible.jpg" for well in "01" for visit in "123456"
    ]
    assert [line["day"] for line in lines] == ["0", "1", "2", "4", "7", "14"] * 2
    assert {line["material"] for line in lines} <= {"protein", "salt"}
    assert all((tmp_path / line["file"]).is_file() and (tmp_path / line["uv"]).is_file() for line in lines)
    assert (tmp_path / "00001_6_visible.mask.png").is_file()
    truth = json.loads((tmp_path / "annotations.json").read_text())
    assert {each["category_id"] for each in truth["annotations"]} == {1}
    images = truth["images"]
    assert [image["file_name"] for image in images] == [line["file"] for line in lines]


@pytest.fixture
def small_plate(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("render_command", "wells.visits"):
        monkeypatch.setattr(f"crystal_search.synthesis.{module}.COLUMNS", 1)
    counts = {"crystal_harvestable": 4, "clear": 4}
    monkeypatch.setattr("crystal_search.synthesis.wells.visits.WELLS_SHOWING", counts)


@pytest.mark.usefixtures("small_plate")
def test_a_plate_over_time_has_the_names_of_a_robot(tmp_path: Path) -> None:
    lines = written(tmp_path, "plate", "--inspections", "2", "--barcode", "p1")
    paths = [str(tmp_path / line["file"]) for line in lines]
    assert detected(paths) == "xchem"
    names = [read_name(path, Naming(convention="xchem")) for path in paths]
    assert [(name.row, name.column, name.session) for name in names if isinstance(name, ReadName)] == [
        (row, 0, f"p1_2026-01-0{day}") for row in range(8) for day in (5, 6)
    ]


@pytest.mark.usefixtures("small_plate")
def test_a_plate_in_channels_is_read_by_the_pattern_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(tmp_path, "plate", "--channels", "uv", "cross-polarised", "--barcode", "p1")
    assert f"--pattern '{PATTERN}'" in capsys.readouterr().out
    naming = Naming(convention="pattern", pattern=PATTERN)
    for line in lines:
        for column, channel in (("file", "visible"), ("uv", "uv"), ("cross-polarised", "cross-polarised")):
            name = read_name(str(tmp_path / line[column]), naming)
            assert isinstance(name, ReadName)
            assert (name.plate, name.channel, name.column) == ("p1", channel, 0)
            assert (name.row + 1, line["well"]) == (int(line["row"]), f"{'ABCDEFGH'[name.row]}01")


@pytest.mark.parametrize("words", [("--inspections", "0"), ("--inspections", "9")])
def test_visits_that_there_are_not_are_refused(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "wells", "--out", str(tmp_path / "x"), *words]) != 0
    assert "give 1 to 8" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [("--channels", "uv"), ("--inspections", "2"), ("--plate-type", "mrc-2")])
def test_suspensions_are_seen_once(words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "suspension", "--out", str(tmp_path), *words]) != 0
    assert "leave out --channels" in capsys.readouterr().err
