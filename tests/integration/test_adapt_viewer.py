"""A readout of what people scored in the viewer, by the command line: whose labels, and where it goes."""

import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crystal_search.adaptation.labelled import Labelled
from crystal_search.adaptation.readout_model import labels_hash, rescoring_of
from crystal_search.evaluation.home_material import home_material, imager_meant
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.model import Model, default_model, default_models, default_models_folder, read_model, references
from crystal_search.model_card import ClassifierCard, ReadoutCard
from crystal_search.outcomes import GROUPS, OUTCOMES
from crystal_search.server.feature_store.feature_rows import picture_of, row_type
from crystal_search.server.feature_store.feature_store import store_of
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, opened
from crystal_search.server.services.imager_features import sample_of, store_in_use
from crystal_search.server.services.readout_offers import read_fits
from crystal_search.wells import WellKey
from crystal_search.who_looks import Looks
from tests.unit.adapted_drops import NUMBERS, an_imager

NOW = datetime(2026, 1, 31, tzinfo=UTC)
OURS, THEIRS = "RI1000-0081", "RI54-1234"
GAINING = an_imager(5, told_by_shipped=0.2, told_by_numbers=3)
IDLE = an_imager(2, plates=3, drops=12, told_by_shipped=2, told_by_numbers=0)


def add_imager(site: Installation, imager: str, labelled: Labelled, *, without_label: int = 0) -> None:
    """Add images with features in the store, and people's scores of all but the last."""
    count = len(labelled)
    first = max((image.id for image in site.imaging.images_below("/robot")), default=0) + 1
    site.imaging.add_images(
        NewImage(
            key=WellKey(plate=f"{imager} {plate}", row=number // 48, column=number % 48, inspection=1),
            path=f"/robot/{plate}_2026-01-31_{imager}-2drop/{number}.jpg",
            imaged_at=NOW,
        )
        for number, plate in enumerate(labelled.plates)
    )
    rows = np.zeros(count, row_type(NUMBERS))
    rows["image_id"] = first + np.arange(count)
    rows["picture"] = picture_of("")
    for name in ("features", "peaks", "means"):
        rows[name] = getattr(labelled.seen, name)
    store_of(site.home.features, references(default_models(site.models)), NUMBERS).append(rows)
    for number, group in enumerate(labelled.groups[: count - without_label].tolist()):
        outcome = next(each.name for each in OUTCOMES if each.group == GROUPS[group])
        site.imaging.add_manual_score(
            ManualScore(image_id=first + number, person="Ada", scored_at=NOW, outcome=outcome)
        )


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with labels of two imagers, the first of which has something to gain."""
    home = tmp_path_factory.mktemp("site") / "home"
    with opened(home) as site:
        add_imager(site, OURS, GAINING, without_label=10)
        add_imager(site, THEIRS, IDLE)
    return home


@pytest.fixture
def home(scored: Path, tmp_path: Path) -> Path:
    """Return a copy of that home."""
    return shutil.copytree(scored, tmp_path / "home")


def adapt(home: Path, *words: str) -> int:
    return main(["adapt", "--home", str(home), *words])


def test_a_readout_that_counts_comes_into_the_home(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home, "--imager", OURS) == OK
    said = capsys.readouterr().out
    assert f"{len(GAINING) - 10} labels of 6 plates, " in said
    assert "the readout is proven better" in said
    (path,) = (home / "models").glob(f"{OURS}-*.card.json")
    assert f"score --readout {path} --home {home} IMAGES" in said
    model = read_model(path)
    assert isinstance(model.card, ReadoutCard)
    assert (model.card.imager, model.card.proven) == (OURS, True)
    assert model.card.file == path.name.replace(".card.json", ".readout.json")
    rescoring = rescoring_of(Model(model.card, model.onnx), Looks(first=default_model(ClassifierCard).card.sha256))
    assert rescoring.readout.weights.shape == (4, NUMBERS + 17)


def test_models_in_use_stay_in_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home, "--imager", OURS) == OK
    capsys.readouterr()
    with opened(home) as site:
        assert site.models == default_models_folder()
    assert main(["models", "list", "--home", str(home)]) == OK
    in_use = {line.split()[1]: "in use" in line for line in capsys.readouterr().out.splitlines()}
    assert [in_use[role] for role in ("drop", "classifier", "readout")] == [True, True, False]


def test_one_that_is_not_proven_better_is_not_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home, "--imager", THEIRS) == OK
    said = capsys.readouterr().out
    assert f"{len(IDLE)} labels of 3 plates, " in said
    assert "no readout was written, since it is not proven better" in said
    assert not list((home / "models").glob("*"))
    assert adapt(home, "--imager", THEIRS, "--anyway") == OK
    assert len(list((home / "models").glob(f"{THEIRS}-*.card.json"))) == 1


def test_the_same_labels_make_the_same_readout(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home, "--imager", OURS) == OK
    before = {path: path.read_bytes() for path in (home / "models").iterdir()}
    with opened(home) as site:
        images = site.imaging.images_below("/robot")
        site.imaging.move_images({image.id: image.path.replace("/robot", "/moved") for image in images})
    assert adapt(home, "--imager", OURS) == OK
    assert capsys.readouterr().out.count(f"score --readout {home / 'models' / OURS}") == 2
    assert {path: path.read_bytes() for path in (home / "models").iterdir()} == before


def test_it_is_written_where_somebody_says_instead(home: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "elsewhere" / "ours.card.json", tmp_path / "page.html"
    assert adapt(home, "--imager", OURS, "--out", str(out), "--page", str(page)) == OK
    assert not list((home / "models").glob("*"))
    assert read_model(out).card.name == "ours"
    assert f"110 labels of {OURS}" in page.read_text()


def test_a_readout_that_counts_is_put_to_use_at_once_on_demand(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(home, "--imager", OURS, "--use", "--out", str(tmp_path / "x.card.json")) == USAGE
    assert "name --home alone" in capsys.readouterr().err
    assert adapt(home, "--imager", OURS, "--use") == OK
    said = capsys.readouterr().out
    assert f"scores images of '{OURS}' from now on" in said
    assert main(["models", "list", "--home", str(home)]) == OK
    assert f"in use for '{OURS}' since " in capsys.readouterr().out
    assert main(["models", "forget", OURS, "--home", str(home)]) == USAGE
    assert f"is in use for '{OURS}'; first: crystal-search models unuse" in capsys.readouterr().err
    assert main(["models", "unuse", OURS, "--home", str(home)]) == OK
    assert "the shipped score stands again" in capsys.readouterr().out
    assert main(["models", "use", OURS, "--imager", THEIRS, "--home", str(home)]) == OK
    assert f"scores images of '{THEIRS}' from now on" in capsys.readouterr().out
    with opened(home) as site:
        assert read_fits(site.home)[OURS].labels == len(GAINING) - 10


def test_an_imager_must_be_named_where_there_are_several(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home) == USAGE
    assert (
        f"labels are of 2 imagers, '{OURS}' (110), '{THEIRS}' (36); choose one by --imager" in capsys.readouterr().err
    )
    assert adapt(home, "--imager", "RI9") == USAGE
    assert f"no imager 'RI9' of which somebody has scored images; choose from '{OURS}' (110)" in capsys.readouterr().err


def test_the_only_imager_need_not_be_named(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as site:
        add_imager(site, THEIRS, IDLE)
        assert imager_meant(site, "") == THEIRS


def test_what_people_scored_is_what_is_learnt_from(scored: Path) -> None:
    with opened(scored) as site:
        material = home_material(site, THEIRS)
        assert material.labelled.groups.tolist() == IDLE.groups.tolist()
        np.testing.assert_allclose(material.labelled.seen.peaks, IDLE.seen.peaks, atol=1e-6)
        assert material.labelled.plates == tuple(f"{THEIRS} {plate}" for plate in IDLE.plates)
        assert len(set(material.labelled.drops)) == len(IDLE)
        assert labels_hash(material.labelled, material.names) != labels_hash(IDLE, material.names)
        ours = home_material(site, OURS)
        assert (len(ours.labelled), len(ours.everything), ours.left_out) == (110, 120, 0)


def test_the_spread_is_of_images_of_that_imager_only(scored: Path) -> None:
    with opened(scored) as site:
        store = store_in_use(site)
        images = site.imaging.images_below("/robot")
        but = {image.id for image in images if OURS in image.path and image.id % 2}
        found = sample_of(site, store, OURS, but=but)
        np.testing.assert_allclose(found.seen.features, GAINING.seen.features[1::2], rtol=1e-3)


def test_where_nothing_can_be_learnt_it_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(home.with_name("nowhere")) == USAGE
    assert main(["adapt", "--folder", str(home)]) == USAGE
    assert "name --folder and --labels, or --home alone" in capsys.readouterr().err
    with opened(home.with_name("fresh")):
        pass
    assert adapt(home.with_name("fresh")) == USAGE
    assert "nobody has scored an image in the viewer yet" in capsys.readouterr().err
    with opened(home) as site:
        key = WellKey(plate="new", row=0, column=0, inspection=1)
        site.imaging.add_images([NewImage(key=key, path="/robot/RI9-0001/1.jpg", imaged_at=NOW)])
        (image,) = site.imaging.plate_images("new")
        site.imaging.add_manual_score(ManualScore(image_id=image.id, person="Ada", scored_at=NOW, outcome="clear"))
    assert adapt(home, "--imager", "RI9-0001") == USAGE
    assert "not one of 1 images of 'RI9-0001' that people scored has features" in capsys.readouterr().err
    with opened(home) as site:
        (store,) = site.home.features.iterdir()
        shutil.move(store, home.with_name("away"))
    assert adapt(home, "--imager", OURS) == USAGE
    assert "there are no features by the models in use" in capsys.readouterr().err


def test_what_nobody_scored_is_asked_for(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "next.csv"
    assert main(["teach", "--home", str(scored), "--imager", OURS, "--count", "4", "--csv", str(table)]) == OK
    assert "4 images of 1 plate to label next" in capsys.readouterr().out
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image_id", "plate", "well", "drop", "inspection", "path"]
    with opened(scored) as site:
        images = site.imaging.images([int(row["image_id"]) for row in rows])
        assert not site.imaging.scored_by_hand(images)
        assert {image.path for image in images.values()} == {row["path"] for row in rows}
        assert {image.key.plate for image in images.values()} == {f"{OURS} plate 5"}


def test_teaching_asks_whose_images_are_meant(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv_option = ("--csv", str(tmp_path / "next.csv"))
    assert main(["teach", "--home", str(scored), *csv_option]) == USAGE
    assert f"features are of images of 2 imagers, '{OURS}', '{THEIRS}'; choose one" in capsys.readouterr().err
    assert main(["teach", "--folder", str(tmp_path), "--imager", OURS, *csv_option]) == USAGE
    assert main(["teach", *csv_option]) == USAGE
    assert "or --home alone" in capsys.readouterr().err
