"""A first look put to use: packed, asked by the client, kept in the ledger with its features, and forgotten."""

import csv
from dataclasses import fields, replace
from pathlib import Path

import onnx
import pytest

from crystal_search.demo.truth import plate_folder
from crystal_search.errors import ModelMismatchError
from crystal_search.evaluation import adapt_command
from crystal_search.evaluation.image_verdicts import image_verdicts, with_companions
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.evaluation.label_material import Material
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.model import (
    default_model,
    default_models,
    default_models_folder,
    read_card,
    read_model,
    references,
    sha256_of,
    write_model,
)
from crystal_search.model_card import ClassifierCard, FirstLookCard, ReadoutCard
from crystal_search.scoring.pipeline import loaded, score_data
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.feature_store.feature_store import kept_store, stores_in
from crystal_search.server.installation import opened, recipe_of
from crystal_search.server.readouts_in_use import idle_readouts, use_readout
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.imager_features import store_in_use
from crystal_search.viewer.app import viewer_app
from crystal_search.who_looks import Looks
from crystal_search.work_unit import Parameters
from tests.integration.test_models import finish, home_with
from tests.readout_site import OURS, readout_model
from tests.service_site import auto_scores
from tests.unit.adapted_drops import an_imager
from tests.viewer_site import Client

WELLS = [plate_folder() / name for name in ("demo_01D_1.jpg", "demo_05D_1.jpg", "demo_08B_1.jpg", "demo_11C_1.jpg")]


def half_width(folder: Path, most_doubt: float) -> Path:
    """Write the shipped classifier as a first look at half the width, another file; return its card's path."""
    usual = default_model(ClassifierCard)
    graph = onnx.load_from_string(usual.onnx)
    graph.doc_string = "looks first"
    told = {each.name: getattr(usual.card, each.name) for each in fields(usual.card)}
    card = FirstLookCard(**told | {"name": "half-1", "working_width_px": 612, "most_doubt": most_doubt})
    return write_model(graph.SerializeToString(), card, folder)


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("most_doubt", "looks"), [(0.99, 1), (0.0, 2)])
def test_every_client_looks_first_until_the_first_look_is_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], most_doubt: float, looks: int
) -> None:
    home = home_with(1, tmp_path, (plate_folder() / "demo_01A_1.jpg").read_bytes())  # precipitate, at both widths
    card = str(half_width(tmp_path / "out", most_doubt))
    with opened(home) as site, LocalEngine(site.home, site.settings, site.models) as engine:
        create_work(site, recipe_of(site))
        finish(site, engine)
        alone = store_in_use(site)
        assert main(["models", "use", card, "--as", "classifier", "--home", str(home)]) == USAGE
        assert "half-1 is a first look, not a classifier" in capsys.readouterr().err
        assert main(["models", "use", card, "--anyway", "--home", str(home)]) == OK
        assert "scored before" not in capsys.readouterr().out
        create_work(site, recipe_of(site))
        finish(site, engine)
        (scores,) = auto_scores(site).values()
        first, second = (each.found for each in scores)
        assert [model.role for model in scores[1].recipe.models] == ["classifier", "drop", "first_look"]
        assert (first.looks, second.looks) == (0, looks)
        assert (second.class_probabilities == first.class_probabilities) == (looks == 2)
        stores = stores_in(site.home.features)
        assert [[model.role for model in each.models] for each in (alone, store_in_use(site))] == [
            ["classifier", "drop"],
            ["first_look", "classifier", "drop"],
        ]
        assert [each.count for each in stores] == [1, 1]
        one, other = (next(each.blocks())[0] for each in (alone, store_in_use(site)))
        assert (one["features"] != other["features"]).any()
        assert main(["models", "forget", "half-1", "--home", str(home)]) == OK
        said = capsys.readouterr().out
        assert "images without a score by the models that are left in use are scored anew" in said
        assert "images that these models scored before are not scored again" in said
        assert [model.role for model in recipe_of(site).models] == ["classifier", "drop"]
        assert store_in_use(site).folder == alone.folder
        told = [row["looks"] for path in sorted(site.home.scored.glob("*.csv")) for row in rows_in(path)]
        assert sorted(told) == ["", str(looks)]
    check_a_readout_of_the_classifier_is_idle(home, tmp_path, capsys)


def check_a_readout_of_the_classifier_is_idle(home: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check what is said of a readout that reads the models in use, but no score that is shown."""
    readout_model(folder)
    assert main(["models", "use", str(folder / "ours.card.json"), "--home", str(home)]) == OK
    idle = f"readout ours of '{OURS}' scores no image: it reads the answers of the classifier"
    said = capsys.readouterr().out
    assert "0 scores by readouts" in said
    assert idle in said
    said = told_of_readouts(home, capsys)
    assert ", but idle: the scores shown of its images are by other models" in said
    assert said.count(idle) == 2  # by status and health
    assert f"! The {idle}".replace("'", "&#39;") in said
    assert "scores images of imager" not in said


def test_files_of_ones_own_are_looked_at_as_clients_do(tmp_path: Path) -> None:
    card, table = half_width(tmp_path / "out", 0.5), tmp_path / "scores.csv"
    words = ["score", *map(str, WELLS), "--first-look", str(card), "--csv", str(table), "--workers", "1"]
    assert main(words) == OK
    told = [(row["outcome"], row["looks"]) for row in rows_in(table)]
    both = loaded([*default_models(default_models_folder()), read_model(card)])
    alone = replace(both, first_look=None)
    found = [score_data(path.read_bytes(), both, Parameters())[0] for path in WELLS]
    assert told == [(each.outcome, str(each.looks)) for each in found]
    assert {each.looks for each in found} == {1, 2}
    for path, each in zip(WELLS, found, strict=True):
        by_classifier = score_data(path.read_bytes(), alone, Parameters())[0]
        assert each.looks == 1 or each.group_peaks == by_classifier.group_peaks
        assert each.packed_features != by_classifier.packed_features
        assert len(each.packed_features) == len(by_classifier.packed_features)


def test_a_card_that_is_no_first_looks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", str(WELLS[0]), "--first-look", "dense-crystals-3", "--csv", str(tmp_path / "scores.csv")]
    assert main(words) != OK
    assert "dense-crystals-3 is a crystal detector, expected a first look" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()


def test_what_would_not_go_together_is_not_put_to_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(home_with(1, tmp_path))
    card = half_width(tmp_path / "out", 0.5)
    first = read_model(card)
    wide = write_model(first.onnx, replace(first.card, name="wide", working_width_px=1224), tmp_path / "wide")
    assert main(["models", "use", str(wide), "--anyway", "--home", home]) != OK
    assert "a first look must see less" in capsys.readouterr().err
    assert main(["models", "use", str(card), "--anyway", "--home", home]) == OK
    told = {each.name: getattr(first.card, each.name) for each in fields(ClassifierCard)}
    same_file = write_model(first.onnx, ClassifierCard(**told | {"working_width_px": 1224}), tmp_path / "same")
    assert main(["models", "use", str(same_file), "--anyway", "--home", home]) != OK
    assert "differs in role, working_width_px" in capsys.readouterr().err
    assert main(["models", "show", "half-1", "--home", home]) == OK
    assert "its score counts up to a doubt of 0.5, above it the classifier's does" in capsys.readouterr().out
    with opened(Path(home)) as site:
        assert [each.role for each in recipe_of(site).models] == ["classifier", "drop", "first_look"]


def test_use_compares_both_looks_with_the_classifier_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = home_with(1, tmp_path)
    card = half_width(tmp_path / "out", 0.05)
    assert main(["models", "use", str(card), "--home", str(home)]) == OK
    said = capsys.readouterr().out
    assert "comparing it with squeezenet-wells-2 on 48 wells of the demo plate" in said
    assert "half-1" in said
    with opened(home) as site:
        assert kept_store(site.home.features, references(default_models(site.models))) is None
        assert sha256_of(read_model(card).onnx) in {model.sha256 for model in recipe_of(site).models}


def test_a_readout_reads_who_looks_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = home_with(1, tmp_path)
    card = half_width(tmp_path / "out", 0.5)
    readouts = [readout_model(tmp_path, "ours"), readout_model(tmp_path, "other", classifier=read_card(card).sha256)]
    with opened(home) as site:
        use_readout(site, readouts[0], OURS)
    assert main(["models", "use", str(card), "--anyway", "--home", str(home)]) == OK
    assert f"the readout ours of '{OURS}' reads the answers of the classifier" in capsys.readouterr().out
    with opened(home) as site:
        with pytest.raises(ModelMismatchError, match="ours reads the answers of the classifier"):
            use_readout(site, readouts[0], OURS)
        assert use_readout(site, readouts[1], OURS).name == "other"
        assert idle_readouts(site) == []
    other = str(another_classifier(tmp_path / "new"))
    assert main(["models", "use", other, "--anyway", "--home", str(home)]) == OK
    assert "idle" not in told_of_readouts(home, capsys)  # it does not say which classifier was behind


def another_classifier(folder: Path) -> Path:
    """Write the shipped classifier as another file; return its card's path."""
    usual = default_model(ClassifierCard)
    graph = onnx.load_from_string(usual.onnx)
    graph.doc_string = "another"
    return write_model(graph.SerializeToString(), replace(usual.card, name="another-1"), folder)


def told_of_readouts(home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the list of models, status, health and the viewer say."""
    capsys.readouterr()
    main(["models", "list", "--home", str(home)])
    main(["status", "--home", str(home)])
    main(["health", "--home", str(home)])
    with opened(home) as site:
        page = Client(viewer_app(site.imaging, site.home.thumbnails, site=site)).get("/imagers").text
    return "\n".join([*capsys.readouterr(), page])


def test_a_readout_of_both_looks_is_told_to_be_idle_beside_another_classifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, card = home_with(1, tmp_path), half_width(tmp_path / "out", 0.5)
    assert main(["models", "use", str(card), "--anyway", "--home", str(home)]) == OK
    first, usual = read_card(card).sha256, default_model(ClassifierCard).card
    with opened(home) as site:
        use_readout(site, readout_model(tmp_path, classifier=first, behind=usual.sha256), OURS)
    said = told_of_readouts(home, capsys)
    assert "idle" not in said
    assert f"readout ours scores images of imager '{OURS}'" in said
    assert "The readout ours scores its images since" in said
    another = str(another_classifier(tmp_path / "new"))
    idle = f"readout ours of '{OURS}' reads the answers of the classifier {usual.sha256[:12]} after the first look"
    assert main(["models", "use", another, "--anyway", "--home", str(home)]) == OK
    said = capsys.readouterr().out
    assert idle in said
    assert "half-1 still looks first; unless it was exported to look before another-1, export it anew" in said
    said = told_of_readouts(home, capsys)
    assert "but idle: it reads the answers of other models" in said
    assert said.count(idle) == 2  # by status and health; the page has quotation marks of its own
    assert f"! The {idle}".replace("'", "&#39;") in said
    assert "scores images of imager" not in said
    assert main(["models", "use", usual.name, "--anyway", "--home", str(home)]) == OK
    assert "idle" not in told_of_readouts(home, capsys)
    assert main(["models", "forget", "half-1", "--home", str(home)]) == OK
    assert idle in capsys.readouterr().out


def test_adapt_writes_both_looks_into_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled, usual = an_imager(5, plates=5), default_model(ClassifierCard)
    material = Material(labelled=labelled, names=labelled.drops, everything=labelled.seen, left_out=0)
    monkeypatch.setattr(adapt_command, "read_labels", lambda *_: [])
    monkeypatch.setattr(adapt_command, "material_of", lambda *_: material)
    models = tmp_path / "models"
    first = half_width(models, 0.5)
    for model in default_models(default_models_folder()):
        write_model(model.onnx, model.card, models)
    words = ["adapt", "--folder", str(tmp_path), "--labels", "x.csv", "--anyway", "--out", str(tmp_path / "ours")]
    for options, looks in (
        (("--models", str(models)), Looks(first=read_card(first).sha256, behind=usual.card.sha256)),
        ((), Looks(first=usual.card.sha256)),
    ):
        assert main([*words, *options]) == OK
        card = read_card(tmp_path / "ours.card.json")
        assert isinstance(card, ReadoutCard)
        assert card.looks == looks


def test_photographs_are_judged_by_models_of_one_name(tmp_path: Path) -> None:
    model = read_model(half_width(tmp_path / "out", 0.5))
    first = replace(model, card=replace(model.card, name=default_model(ClassifierCard).card.name))
    images = [KnownImage(name=path.name, label="clear", content=path.read_bytes, path=path) for path in WELLS[:2]]
    judged = image_verdicts(images, with_companions(first, None), Parameters())
    both = loaded([*default_models(default_models_folder()), model])
    found = [score_data(path.read_bytes(), both, Parameters())[0] for path in WELLS[:2]]
    assert [(each.score.outcome, each.score.looks) for each in judged] == [(each.outcome, each.looks) for each in found]


def test_both_looks_are_evaluated_beside_the_classifier_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = half_width(tmp_path / "out", 0.5)
    words = [
        "evaluate",
        str(card),
        "squeezenet-wells-2",
        "--demo-plate",
        "--wells",
        "8",
        "--out",
        str(tmp_path / "page"),
    ]
    assert main(words) == OK
    assert "half-1" in capsys.readouterr().out
    assert (tmp_path / "page" / "index.html").exists()
