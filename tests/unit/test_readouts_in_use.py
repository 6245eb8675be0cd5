"""A readout in use: what it takes, what people are shown then, and that it goes as it came."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.errors import DatabaseError, ModelError, ModelMismatchError, UnknownNameError, UserError
from crystal_search.model import Model, ModelRef
from crystal_search.server import readouts_in_use as readouts_in_use_module
from crystal_search.server.health.status import as_text
from crystal_search.server.health.status import status as status_of
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, ManualScore, Recipe
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.models_in_use import install
from crystal_search.server.readouts_in_use import (
    IN_USE,
    ReadoutInUse,
    check_not_used,
    idle_if_known,
    idle_readouts,
    readouts_in_use,
    unuse_readout,
    use_readout,
    write_readouts_in_use,
)
from crystal_search.server.services import set_autoscore
from crystal_search.server.services.cycle import publish_scores
from crystal_search.server.services.disagreements import disagreements
from crystal_search.server.services.keeping_features import keep_features
from crystal_search.server.services.rescoring_archive import read_places, rescore_all, rescore_some, score_by_readouts
from crystal_search.server.services.shown_scores import beside, shown_in
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from tests.memory_imaging import MemoryImaging
from tests.readout_site import (
    NOW,
    OURS,
    THEIRS,
    add_scored,
    by_readouts,
    readout_model,
    shipped_score,
    with_picture,
)
from tests.service_site import engine_of, score_everything, site_at
from tests.viewer_site import Client

FIRSTS = (2.0, -2.0, 0.0)  #: crystal, precipitate, and in between


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=MemoryImaging())


def use(site: Installation, name: str = "ours", imager: str = "") -> ReadoutInUse:
    return use_readout(site, readout_model(site.home.path, name), imager)


def rescore(site: Installation) -> int:
    return sum(block.new for block in rescore_all(site, at_a_time=2))


def shown(site: Installation, plate: str = "P1") -> list[tuple[str, str | None]]:
    """Return outcome and readout of each frame of a plate."""
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    drops = client.get(f"/api/plate/{plate}").json()["drops"]
    return [(drop["auto"]["outcome"], drop["auto"]["readout"]) for drop in drops]


def test_frames_follow_the_readout_in_use_and_come_back_without_it(site: Installation) -> None:
    ours, theirs = add_scored(site, "P1", FIRSTS), add_scored(site, "P2", FIRSTS, imager=THEIRS)
    assert shown(site) == 3 * [("clear", None)]
    used = use(site)
    assert shown(site) == 3 * [("clear", None)]
    assert rescore(site) == 3
    assert [shown(site)[at] for at in (0, 1)] == [("crystal_harvestable", "ours"), ("precipitate", "ours")]
    assert shown(site, "P2") == 3 * [("clear", None)]
    assert unuse_readout(site, OURS) == used
    assert shown(site) == 3 * [("clear", None)]
    assert [len(by_readouts(site, each)) for each in (*ours, *theirs)] == [1, 1, 1, 0, 0, 0]
    use(site)
    assert shown(site)[0] == ("crystal_harvestable", "ours")


def test_a_plate_shows_the_scores_of_the_recipe_that_is_asked_for(site: Installation) -> None:
    add_scored(site, "P1", FIRSTS)
    use(site)
    rescore(site)
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    of_all = client.get("/api/plate/P1").json()
    shipped, readout = of_all["recipes"]
    assert (shipped["readout"], readout["readout"], of_all["recipe"]) == (None, "ours", "")
    for recipe in (shipped, readout):
        board = client.get(f"/api/plate/P1?recipe={recipe['id']}").json()
        assert board["recipe"] == recipe["id"]
        assert {each["auto"]["recipe"] for each in board["drops"]} == {recipe["id"]}
        assert {len(each["auto"]["class_probabilities"]) for each in board["drops"]} == {13}
    assert [each["auto"] for each in board["drops"]] == [each["auto"] for each in of_all["drops"]]
    assert client.get("/api/plate/P1?recipe=zzzzzzzzzzzz").status_code == 400
    none = client.get("/api/plate/P1?recipe=0123456789ab").json()
    assert [each["auto"] for each in none["drops"]] == [None] * len(FIRSTS)


def test_a_readouts_score_is_a_recipe_of_its_own(site: Installation) -> None:
    first, _, between = add_scored(site, "P1", FIRSTS)
    used = use(site)
    rescore(site)
    (score,) = by_readouts(site, first)
    assert [(model.role, model.sha256) for model in score.recipe.models][2] == ("readout", used.sha256)
    assert score.recipe.models[:2] == recipe_of(site).models
    image = site.imaging.images([first])[first]
    assert image.version
    assert score.work_unit.startswith("readout-")
    assert score.work_unit.endswith(f"-{image.version.sha256[:32]}")
    assert score.found.group_peaks[0] == pytest.approx(1, abs=1e-4)
    assert sum(score.found.group_peaks) == pytest.approx(1, abs=1e-5)
    (unsure,) = by_readouts(site, between)
    assert unsure.found.probability == pytest.approx(0.5, abs=0.01)
    assert (unsure.recipe.threshold, unsure.found.above_threshold) == (0.5, True)
    assert site.imaging.images_without_score(recipe_of(site), limit=9) == []
    assert site.imaging.plates()[0].scored == 3


def test_rescoring_adds_nothing_twice_and_knows_where_it_was(site: Installation) -> None:
    ids = add_scored(site, "P1", FIRSTS)
    use(site)
    blocks = rescore_all(site, at_a_time=2)
    assert next(blocks).looked_at == 2
    assert [len(by_readouts(site, each)) for each in ids] == [0, 1, 1]
    assert (rescore(site), rescore(site)) == (1, 0)
    site.home.rescored.unlink()
    assert (rescore(site), [len(by_readouts(site, each)) for each in ids]) == (0, [1, 1, 1])
    site.home.rescored.write_text("spoiled")
    assert (rescore(site), len(read_places(site.home))) == (0, 1)


def test_the_newest_images_are_rescored_first_whatever_order_they_were_scored_in(site: Installation) -> None:
    new, old = add_scored(site, "P1", FIRSTS[:2], day=3), add_scored(site, "P2", FIRSTS[:2], day=-3)
    use(site)
    next(rescore_all(site, at_a_time=2))
    assert [len(by_readouts(site, each)) for each in (*new, *old)] == [1, 1, 0, 0]


def test_what_is_put_to_use_again_is_looked_through_again(site: Installation) -> None:
    add_scored(site, "P1", FIRSTS)
    use(site)
    rescore(site)
    unuse_readout(site, OURS)
    (late,) = add_scored(site, "P2", [2.0])
    use(site)
    assert rescore(site) == 1
    assert len(by_readouts(site, late)) == 1


def test_another_readout_takes_the_place_of_the_former(site: Installation) -> None:
    (image,) = add_scored(site, "P1", [2.0])
    for name in ("ours", "newer"):
        use(site, name)
        rescore(site)
    assert shown(site) == [("crystal_harvestable", "newer")]
    assert len(by_readouts(site, image)) == 2
    assert [each.name for each in readouts_in_use(site.home).values()] == ["newer"]


def test_new_images_are_scored_when_their_scores_are_set(site: Installation) -> None:
    use(site)
    ids = add_scored(site, "P1", FIRSTS)
    images = site.imaging.images(ids)
    scores = [shipped_score(site, images[each], first) for each, first in zip(ids, FIRSTS, strict=True)]
    assert score_by_readouts(site, scores, images) == 3
    assert (score_by_readouts(site, scores, images), rescore(site)) == (0, 0)
    assert shown(site)[1] == ("precipitate", "ours")


def test_set_autoscore_has_new_images_scored_by_the_readout(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=3)
    model = readout_model(tmp_path, imager="all images", numbers=384, classifier="a" * 64)
    install(model, site.home)
    used = ReadoutInUse(imager="all images", name="ours", sha256=model.card.sha256, since=NOW.isoformat())
    write_readouts_in_use(site.home, {used.imager: used})
    with engine_of(site) as engine:
        score_everything(site, engine)
    said = [by_readouts(site, each) for each in (1, 2, 3)]
    assert [[score.recipe.model("readout").name for score in scores] for scores in said] == 3 * [["ours"]]
    assert site.imaging.plates()[0].scored == 3


def test_whoever_is_killed_between_the_shipped_scores_and_those_of_a_readout_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_at(tmp_path, images=2)
    model = readout_model(tmp_path, imager="all images", numbers=384, classifier="a" * 64)
    install(model, site.home)
    used = ReadoutInUse(imager="all images", name="ours", sha256=model.card.sha256, since=NOW.isoformat())
    write_readouts_in_use(site.home, {used.imager: used})

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, engine_of(site) as engine:
        patched.setattr(set_autoscore, "score_by_readouts", killed)
        with pytest.raises(KeyboardInterrupt):
            score_everything(site, engine)
    assert (site.imaging.plates()[0].scored, by_readouts(site, 1)) == (2, [])
    assert publish_scores(site).new == 0
    assert [len(by_readouts(site, each)) for each in (1, 2)] == [1, 1]
    publish_scores(site)
    assert [len(by_readouts(site, each)) for each in (1, 2)] == [1, 1]


def test_a_person_disagrees_with_what_is_shown(site: Installation) -> None:
    (image,) = add_scored(site, "P1", [2.0])
    site.imaging.add_manual_score(ManualScore(image_id=image, person="Ada", scored_at=NOW, outcome="clear"))
    use(site)
    rescore(site)
    shown_now = shown_in(site.home, site.imagers)()
    assert disagreements(site.imaging, "person") == []
    (found,) = disagreements(site.imaging, "person", shown_now)
    assert (found.machine, found.other) == ("crystal", "clear")


def test_another_picture_is_scored_anew_and_the_former_picture_when_it_comes_back(site: Installation) -> None:
    (image,) = add_scored(site, "P1", [2.0])
    use(site)
    rescore(site)
    changed = with_picture(site, image, "another")
    new = shipped_score(site, changed, -2.0, unit="unit-2")
    keep_features(site.home, [new])
    site.imaging.add_auto_scores([new])
    assert shown(site) == [("clear", None)]
    score_by_readouts(site, [new], {image: changed})
    assert shown(site) == [("precipitate", "ours")]
    back = with_picture(site, image, f"{image}")
    site.imaging.add_auto_scores([again := shipped_score(site, back, 2.0, unit="unit-3")])
    assert score_by_readouts(site, [again], {image: back}) == 1
    assert shown(site) == [("crystal_harvestable", "ours")]
    assert [score.counts for score in by_readouts(site, image)] == [False, False, True]


def test_a_persons_score_stands_first_and_both_of_the_machine_are_in_the_history(site: Installation) -> None:
    (image,) = add_scored(site, "P1", [2.0])
    use(site)
    rescore(site)
    site.imaging.add_manual_score(ManualScore(image_id=image, person="Ada", scored_at=NOW, outcome="spherulites"))
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    person, readout, shipped = client.get(f"/api/drop/{image}").json()["ledger"]
    assert (person["by"], person["outcome"]) == ("person", "spherulites")
    assert (readout["outcome"], readout["readout"], readout["shown"]) == ("crystal_harvestable", "ours", True)
    assert (shipped["outcome"], shipped["readout"], shipped["shown"]) == ("clear", None, False)
    assert (readout["width_px"], len(readout["class_probabilities"])) == (1280, 13)
    assert sum(readout["class_probabilities"]) == pytest.approx(1, abs=1e-3)
    (drop,) = client.get("/api/plate/P1").json()["drops"]
    assert drop["people"][0]["outcome"] == "spherulites"
    assert client.get("/api/plate/P1/counts").json()["auto"] == {"crystal": 1}
    header, row = client.get("/plate/P1/scores.csv").text.splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    told = {name: cells[name] for name in ("auto_outcome", "auto_readout", "manual_outcome")}
    assert told == {"auto_outcome": "crystal_harvestable", "auto_readout": "ours", "manual_outcome": "spherulites"}


def test_within_the_shipped_scores_group_its_class_stays(site: Installation) -> None:
    add_scored(site, "P1", [2.0])
    use(site)
    rescore(site)
    (drop,) = site.imaging.drops("P1", inspection=1, readouts=[readouts_in_use(site.home)[OURS].sha256])
    (said,) = drop.readouts
    shipped = shipped_score(site, drop.image, 0)
    crystal = shipped.found.score
    assert crystal
    of_class = replace(shipped, found=replace(shipped.found, score=replace(crystal, outcome="crystal_bad_form")))
    assert beside(of_class, said).outcome == "crystal_bad_form"
    assert beside(shipped, said).outcome == "crystal_harvestable"


def test_a_readout_of_another_classifier_an_unproven_one_or_no_imager_is_refused(site: Installation) -> None:
    model = readout_model(site.home.path)
    with pytest.raises(UserError, match="no image can be of an imager 'RI1000-008l'"):
        use_readout(site, model, "RI1000-008l")
    with pytest.raises(UserError, match="no image can be of an imager ''"):
        use_readout(site, readout_model(site.home.path, "nobody", imager=""))
    other = Model(replace(model.card, classifier_sha256="9" * 64), model.onnx)
    with pytest.raises(ModelMismatchError, match="reads the answers of the classifier 999999999999"):
        use_readout(site, other)
    unproven = readout_model(site.home.path, "unproven", proven=False)
    with pytest.raises(UserError, match="unproven is not proven better than the shipped score; --anyway"):
        use_readout(site, unproven)
    unfit = Model(replace(unproven.card, classifier_sha256="9" * 64), unproven.onnx)
    with pytest.raises(ModelMismatchError, match="reads the answers of the classifier 999999999999"):
        use_readout(site, unfit)  # not told of a way round first
    assert readouts_in_use(site.home) == {}
    assert use_readout(site, unproven, THEIRS, anyway=True).imager == THEIRS


def test_scores_by_a_first_look_with_another_classifier_behind_are_not_read(site: Installation) -> None:
    ids = add_scored(site, "P1", FIRSTS)
    model = readout_model(site.home.path, classifier="f" * 64, behind="c" * 64)
    install(model, site.home)
    used = ReadoutInUse(imager=OURS, name="ours", sha256=model.card.sha256, since=NOW.isoformat())
    write_readouts_in_use(site.home, {OURS: used})
    images = site.imaging.images(ids)

    def by(classifier: str) -> list[AutoScore]:
        hashes = {"classifier": classifier, "drop": "d" * 64, "first_look": "f" * 64}
        recipe = Recipe(models=tuple(ModelRef(role=role, sha256=each) for role, each in hashes.items()), threshold=0.5)
        return [replace(shipped_score(site, images[each], 2.0), recipe=recipe) for each in ids]

    assert [score_by_readouts(site, by(each), images) for each in ("e" * 64, "c" * 64)] == [0, 3]
    (idle,) = idle_readouts(site)
    assert idle.said.startswith(
        f"the readout ours of '{OURS}' reads the answers of the classifier cccccccccccc after the first look "
        "ffffffffffff, and scores no image that the classifier "
    )


def test_a_readout_is_idle_while_all_scores_of_its_images_are_by_other_models(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, _ = add_scored(site, "P1", FIRSTS), add_scored(site, "P2", FIRSTS, imager=THEIRS)
    use(site)
    use(site, "other", THEIRS)
    assert idle_readouts(site) == []
    hashes = {"classifier": "c" * 64, "drop": "d" * 64, "first_look": "f" * 64}
    both = Recipe(models=tuple(ModelRef(role=role, sha256=each) for role, each in hashes.items()), threshold=0.5)
    images = site.imaging.images(mine)

    def look_first(ids: list[int]) -> None:
        scores = [replace(shipped_score(site, images[each], 2.0, unit="first"), recipe=both) for each in ids]
        site.imaging.add_auto_scores(scores)

    look_first(mine[:-1])
    assert idle_readouts(site) == []  # one image of ours is as it was
    look_first(mine[-1:])
    (idle,) = idle_readouts(site)
    assert (idle.used.imager, idle.because) == (OURS, "the scores shown of its images are by other models")
    assert rescore(site) == len(FIRSTS)  # theirs
    assert "scores no image: it reads the answers of the classifier" in idle.said
    found = status_of(site)
    assert [used["idle"] for used in found["readouts"]] == [idle.said, ""]
    assert f"! {idle.said}" in as_text(found)
    assert f"readout ours scores images of imager '{OURS}'" not in as_text(found)
    with monkeypatch.context() as seen:
        seen.setattr(readouts_in_use_module, "MOST_LOOKED_AT", len(FIRSTS))
        assert idle_readouts(site) == []  # older ones may be ours
    add_scored(site, "P3", FIRSTS)
    assert idle_readouts(site) == []


def test_no_readout_is_told_to_be_idle_where_scores_cannot_be_read(
    site: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost() -> list[Recipe]:
        raise DatabaseError("the database is gone")

    use(site)
    monkeypatch.setattr(site.imaging, "recipes", lost)
    assert idle_if_known(site) == []
    assert "no readout is told to be idle: the database is gone" in caplog.text


def test_only_what_is_in_use_can_be_taken_out_of_use_and_is_not_forgotten(site: Installation) -> None:
    with pytest.raises(UnknownNameError, match=f"no imager '{OURS}' with a readout in use; there are none"):
        unuse_readout(site, OURS)
    used = use(site)
    with pytest.raises(UnknownNameError, match=f"with a readout in use; choose from '{OURS}'"):
        unuse_readout(site, THEIRS)
    with pytest.raises(UserError, match=f"ours is in use for '{OURS}'; first: crystal-search models unuse '{OURS}'"):
        check_not_used(site.home, used.sha256, used.name)
    unuse_readout(site, OURS)
    check_not_used(site.home, used.sha256, used.name)


def test_a_readout_that_is_lost_holds_no_shipped_score_up(site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    ids = add_scored(site, "P1", FIRSTS)
    used = use(site)
    for path in site.home.models.glob("ours-*"):
        path.unlink()
    images = site.imaging.images(ids)
    with caplog.at_level(logging.ERROR):
        assert score_by_readouts(site, [shipped_score(site, images[ids[0]], 2.0)], images) == 0
    assert f"readout ours of imager {OURS}" in caplog.text
    rescore_some(site)
    install(readout_model(site.home.path), site.home)
    assert (rescore(site), readouts_in_use(site.home)[OURS]) == (3, used)


def test_a_file_of_readouts_in_use_that_is_spoiled_is_said_and_shipped_scores_are_shown(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    ids = add_scored(site, "P1", [2.0])
    use(site)
    rescore(site)
    path = site.home.models / IN_USE
    path.write_text(json.dumps({"format": "something else"}))
    with pytest.raises(ModelError, match="format must be 'crystal-search readouts in use'"):
        readouts_in_use(site.home)
    with caplog.at_level(logging.ERROR):
        assert shown(site) == [("clear", None)]
        assert score_by_readouts(site, [shipped_score(site, site.imaging.images(ids)[ids[0]], 2.0)], {}) == 0
    assert "shipped scores are shown: " in caplog.text
    rescore_some(site)
    path.unlink()
    assert shown_in(site.home, site.imagers)().hashes == frozenset()
