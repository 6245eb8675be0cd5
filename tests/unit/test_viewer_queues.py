"""Lists of drops that are worth a look: what is in them, who is asked, and what a request waits for."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_search.errors import DatabaseError, UnknownNameError, UserError
from crystal_search.model import default_models, references
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES, OUTCOMES, Group
from crystal_search.server.feature_store.feature_rows import picture_of, row_type
from crystal_search.server.feature_store.feature_store import store_of
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, Removal
from crystal_search.server.installation import Installation
from crystal_search.server.services import drops_to_label as drops_to_label_module
from crystal_search.server.services import imager_features
from crystal_search.server.services.disagreements import disagreements, people_differ
from crystal_search.server.services.drops_to_label import drops_to_label
from crystal_search.server.services.hand_labels import labels_by_imager
from crystal_search.server.services.imager_features import imager_with_features, imagers_with_features, sample_of
from crystal_search.server.services.strange_records import HISTORY, StrangeImage, StrangeRecord, write_strange
from crystal_search.viewer import queues
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.queue_kinds import QUEUE_KINDS, Entry, QueueKind
from crystal_search.viewer.queues import Key, Queues
from crystal_search.wells import WellKey
from tests.service_site import site_at
from tests.unit.adapted_drops import NUMBERS, an_imager
from tests.viewer_site import NOON, Client, auto_score, hand_score

OURS, THEIRS = "RI1000-0081", "RI54-1234"
IMAGER = an_imager(3, plates=4, drops=10)


class Site:
    """A database and a store with 40 images of each of two imagers."""

    def __init__(self, folder: Path) -> None:
        self.installation = site_at(folder)
        self.imaging = self.installation.imaging
        models = references(default_models(self.installation.models))
        self.store = store_of(self.installation.home.features, models, NUMBERS)
        for imager in (OURS, THEIRS):
            self.add(imager)

    def add(self, imager: str) -> None:
        first = len(self.imaging.images(range(1, 1000))) + 1
        self.imaging.add_images(
            NewImage(
                key=WellKey(plate=f"{imager} {plate}", row=at // 12, column=at % 12, inspection=1),
                path=f"/robot/{plate}_{imager}/{at}.jpg",
                imaged_at=NOON,
            )
            for at, plate in enumerate(IMAGER.plates)
        )
        rows = np.zeros(len(IMAGER), row_type(NUMBERS))
        rows["image_id"], rows["picture"] = first + np.arange(len(IMAGER)), picture_of("")
        for name in ("features", "peaks", "means"):
            rows[name] = getattr(IMAGER.seen, name)
        self.store.append(rows)

    def say(self, image_id: int, outcome: str = "") -> None:
        group = GROUPS[IMAGER.groups[(image_id - 1) % len(IMAGER)]]
        true = next(each.name for each in OUTCOMES if each.group == group)
        self.imaging.add_manual_score(hand_score(image_id, outcome or true))

    def asked(self, imager: str = OURS, count: int = 100) -> list[int]:
        return [image.id for image in drops_to_label(self.installation, self.store, imager, count=count)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def client(site: Site, tmp_path: Path) -> Client:
    return Client(viewer_app(site.imaging, tmp_path / "thumbnails", site=site.installation))


@given(scored=st.sets(st.integers(1, 80), max_size=80), count=st.integers(1, 60))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_asked_for_that_a_person_has_scored(
    tmp_path_factory: pytest.TempPathFactory, scored: set[int], count: int
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    for image_id in scored:
        site.say(image_id)
    found = site.asked(count=count)
    left = set(range(1, 41)) - scored
    assert set(found) <= left
    assert len(found) == len(set(found)) == min(count, len(left))


def test_images_are_of_one_imager_are_there_and_show_the_picture_that_was_scored(site: Site) -> None:
    assert set(site.asked(THEIRS)) == set(range(41, 81))
    assert site.asked("RI9") == []
    site.imaging.note_versions({2: FileVersion(sha256="c" * 64, size_bytes=1, mtime_ns=1)})
    site.imaging.remove_images([3], Removal(person="Ada", what="plate", why="", removed_at=NOON))
    assert set(site.asked()) == set(range(1, 41)) - {2, 3}


def test_labels_change_what_is_asked_for(site: Site) -> None:
    before = site.asked(count=5)
    for image_id in before:
        site.say(image_id)
    assert not set(before) & set(site.asked(count=35))


def test_what_is_asked_for_begins_with_the_prior_of_the_classifier_in_use(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(drops_to_label_module, "prior_in", lambda *about: asked.append(about))
    site.asked()
    assert asked == [(site.installation.models, NUMBERS)]


def test_imagers_are_told_by_the_paths_of_what_is_stored(site: Site) -> None:
    assert imagers_with_features(site.installation, site.store) == {OURS: 40, THEIRS: 40}
    assert imager_with_features(site.installation, site.store, THEIRS) == THEIRS
    with pytest.raises(UnknownNameError, match=f"with features of its images; choose from '{OURS}', '{THEIRS}'"):
        imager_with_features(site.installation, site.store, "RI9")
    with pytest.raises(UserError, match=r"of 2 imagers, .* choose one by --imager"):
        imager_with_features(site.installation, site.store, "")
    site.imaging.remove_images(range(41, 81), Removal(person="Ada", what="plate", why="", removed_at=NOON))
    assert imager_with_features(site.installation, site.store, "") == OURS


def test_of_many_images_some_stand_for_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imager_features, "SAMPLE", 5)
    assert [image.id for image in sample_of(site.installation, site.store, OURS).images] == [1, 10, 20, 30, 40]
    monkeypatch.setattr(imager_features, "LOOKED_AT", 3)
    assert [image.id for image in sample_of(site.installation, site.store, OURS).images] == [1, 40]


def opinion(group: Group, probability: float) -> tuple[float, ...]:
    """Return a second opinion."""
    of_group = [at for at, each in enumerate(OUTCOMES) if each.group is group]
    rest = (1 - probability) / (len(OUTCOMES) - 1)
    return tuple(probability if at == of_group[0] else rest for at in range(len(OUTCOME_NAMES)))


def machine(image_id: int, outcome: str, probability: float, second: tuple[float, ...] = ()) -> AutoScore:
    score = auto_score(image_id, outcome, probability)
    found = {name: getattr(score.found, name) for name in score.found.__dataclass_fields__}
    values = {name: getattr(score, name) for name in score.__dataclass_fields__}
    return AutoScore(**values | {"found": type(score.found)(**found | {"second_opinion": second})})


def test_person_and_machine_disagree_where_they_name_other_groups(site: Site) -> None:
    site.imaging.add_auto_scores(
        [
            machine(1, "clear", 0.9),
            machine(2, "clear", 0.99),
            machine(3, "crystal_bad_form", 0.95),
            machine(4, "clear", 0.5),
            auto_score(5, "no_drop"),
            auto_score(6, "unreadable"),
            machine(7, "precipitate", 0.9),
        ]
    )
    for image_id, outcome in enumerate(
        ["crystal_harvestable", "precipitate", "crystal_harvestable", "crystal_harvestable", "clear", "clear"], start=1
    ):
        site.say(image_id, outcome)
    found = [
        (each.drop.image.id, each.machine, each.other, each.sure) for each in disagreements(site.imaging, "person")
    ]
    # 3: the same group; 4: below the threshold; 6: unreadable; 7: nobody scored it
    assert found == [
        (5, "no_drop", "clear", 1.0),
        (2, "clear", "precipitate", 0.99),
        (1, "clear", "crystal", 0.9),
    ]


def test_two_models_disagree_where_both_are_sure_of_other_groups(site: Site) -> None:
    versions = {each: FileVersion(sha256="c" * 64, size_bytes=1, mtime_ns=1) for each in range(1, 5)}
    site.imaging.note_versions(versions)
    site.imaging.add_auto_scores(
        [
            machine(1, "clear", 0.97, opinion(Group.CRYSTAL, 0.9)),
            machine(2, "clear", 0.97, opinion(Group.CLEAR, 0.9)),
            machine(3, "clear", 0.97),
            machine(4, "crystal_bad_form", 0.95, opinion(Group.CLEAR, 0.94)),
        ]
    )
    found = [(each.drop.image.id, each.machine, each.other) for each in disagreements(site.imaging, "second")]
    assert found == [(4, "crystal", "clear"), (1, "clear", "crystal")]


def test_the_list_comes_in_pages(client: Client) -> None:
    answer = client.get(f"/api/queues/teach?imager={OURS}&per_page=15&page=3")
    listed = answer.json()
    assert (listed["images"], listed["page"], listed["pages"], listed["is_current"]) == (40, 3, 3, True)
    assert listed["imagers"] == [OURS, THEIRS]
    assert len(listed["drops"]) == 10
    assert {"id", "plate", "well", "drop", "inspection", "version"} <= listed["drops"][0].keys()
    pages = [client.get(f"/api/queues/teach?imager={OURS}&per_page=15&page={page}").json()["drops"] for page in (1, 2)]
    assert len({drop["id"] for drops in (*pages, listed["drops"]) for drop in drops}) == 40
    assert client.get("/api/queues/teach?page=9").json()["drops"] == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/queues/nothing", 404, "choose from teach, person, people, second, strange"),
        ("/api/queues/teach?imager=RI9", 404, f"choose from {OURS}, {THEIRS}"),
        ("/api/queues/teach?page=0", 400, "page must be a number from 1 to 1000, got '0'"),
        ("/api/queues/teach?per_page=1e3", 400, "per_page must be a number from 1 to 200"),
        ("/api/queues/teach?page=%C2%B2", 400, "page must be a number"),
    ],
)
def test_what_cannot_be_answered_says_what_can(client: Client, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_a_disagreement_says_who_said_what(site: Site, client: Client) -> None:
    site.imaging.add_auto_scores([machine(1, "clear", 0.9)])
    site.say(1, "crystal_harvestable")
    (drop,) = client.get("/api/queues/person").json()["drops"]
    assert (drop["id"], drop["machine"], drop["person"], drop["sure"]) == (1, "clear", "crystal", 0.9)
    page = client.get("/queues/person").text
    assert 'href="/drop/1"' in page
    assert "machine: clear, 90 %" in page
    assert "person: crystal" in page


def test_people_who_name_other_groups_disagree(site: Site, client: Client) -> None:
    assert client.get("/api/queues/people").json()["why_empty"].startswith("No drop has scores of two people yet")
    told = {1: "clear precipitate", 2: "clear crystal_bad_form", 3: "clear clear_with_features", 4: "clear no_drop"}
    for image_id, outcomes in told.items():
        for person, outcome in zip(("Ada", "Ben"), outcomes.split(), strict=True):
            site.imaging.add_manual_score(hand_score(image_id, outcome, person=person))
    assert [drop.image.id for drop in people_differ(site.imaging)] == [2, 4, 1]  # 3: the same group
    listed = Client(viewer_app(site.imaging, site.installation.home.thumbnails, site=site.installation))
    found = listed.get("/api/queues/people").json()
    assert [drop["id"] for drop in found["drops"]] == [2, 4, 1]
    assert found["drops"][0]["said"] == ["Ben: crystal bad form", "Ada: clear"]
    assert "Ben: crystal bad form<br>Ada: clear" in listed.get("/queues/people").text


def test_strange_images_of_all_imagers_are_one_list(site: Site, client: Client) -> None:
    assert "what is ordinary" in client.get("/api/queues/strange").json()["why_empty"]
    for imager, ids in ((OURS, (1, 2)), (THEIRS, (41, 3000))):
        strange = tuple(
            StrangeImage(image_id=each, picture="", at="2026-01-31", p_value=0.01, beyond=1 + each / 100, number=each)
            for each in ids
        )
        record = StrangeRecord(name=imager, strange=strange, compared=3000, learnt_ids=tuple(range(HISTORY)))
        write_strange(site.installation.home.sentinel, record)
    listed = Client(viewer_app(site.imaging, site.installation.home.thumbnails, site=site.installation))
    found = listed.get("/api/queues/strange").json()
    assert [drop["id"] for drop in found["drops"]] == [41, 2, 1]  # 3000 is no image
    assert found["drops"][0]["said"] == ["1.4 times the farthest distance learnt", f"imager: {THEIRS}"]
    assert found["why_empty"] == ""


def test_an_empty_list_says_why_and_what_to_do(site: Site, client: Client) -> None:
    assert "Nobody has scored a drop by hand yet: score some" in client.get("/queues/person").text
    assert "models use" in client.get("/queues/second").text
    site.say(1)
    again = Client(viewer_app(site.imaging, site.installation.home.thumbnails, site=site.installation))
    assert "wherever people have scored" in again.get("/queues/person").text


def test_labels_are_counted_by_imager_also_where_an_inspection_has_two(site: Site) -> None:
    key = WellKey(plate="both", row=0, column=0, inspection=1)
    for column, imager in enumerate((OURS, THEIRS, OURS)):
        site.imaging.add_images(
            [NewImage(key=replace(key, column=column), path=f"/r/{column}_{imager}/1.jpg", imaged_at=NOON)]
        )
    for image_id in (1, 41, 81, 82):
        site.say(image_id, "clear")
    site.say(83, "no_drop")
    expected = {(OURS, "clear"): 2, (THEIRS, "clear"): 2, (OURS, "no_drop"): 1}
    assert labels_by_imager(site.installation) == expected


def test_the_page_links_to_drops_imagers_and_pages(client: Client) -> None:
    page = client.get("/queues?per_page=30").text
    assert page.count('href="/drop/') == 30
    assert f'href="/queues/teach?imager={THEIRS}"' in page
    assert "page=2&amp;per_page=30" in page
    assert "There is none." not in client.get("/queues/second").text
    assert "Worth a look" in client.get("/").text


def test_without_features_it_says_so(site: Site, tmp_path: Path) -> None:
    shutil.rmtree(site.store.folder)
    client = Client(viewer_app(site.imaging, tmp_path / "thumbnails", site=site.installation))
    assert client.get("/api/queues/teach").json()["images"] == 0
    assert "There are no features by the models in use yet" in client.get("/queues").text


def test_a_list_is_made_again_only_when_people_said_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = [], [0.0]

    def make(_: Installation, imager: str) -> list[Entry]:
        made.append(imager)
        return [Entry(site.imaging.images([each])[each], {}) for each in (1, 2)]

    monkeypatch.setitem(QUEUE_KINDS, "teach", _kind(make))
    queue = Queues(site.installation, clock=lambda: now[0])
    key = Key("teach", OURS)
    assert [each.image.id for each in queue.get(key).entries] == [1, 2]
    assert queue.get(key).is_current
    assert made == [OURS]
    site.say(1)
    assert [each.image.id for each in queue.get(key).entries] == [2]  # at once, though nobody looked for labels yet
    assert made == [OURS]
    now[0] = queues.LABELS_SECONDS
    assert queue.get(key).is_current
    assert made == [OURS] * 2
    now[0] += queues.FRESH_SECONDS
    queue.get(key)
    assert made == [OURS] * 3


def test_who_asks_while_a_list_is_made_gets_the_one_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, now = threading.Event(), [0.0]
    may_end.set()

    def make(_: Installation, imager: str) -> list[Entry]:
        may_end.wait(60)
        return [Entry(site.imaging.images([each])[each], {}) for each in (1, 2)]

    monkeypatch.setitem(QUEUE_KINDS, "teach", _kind(make))
    queue = Queues(site.installation, clock=lambda: now[0])
    key = Key("teach", OURS)
    monkeypatch.setattr(queues, "PATIENCE_SECONDS", 60)
    assert queue.get(key).is_current
    monkeypatch.setattr(queues, "PATIENCE_SECONDS", 0)
    may_end.clear()
    site.say(2)
    now[0] = queues.LABELS_SECONDS
    listing = queue.get(key)
    assert ([each.image.id for each in listing.entries], listing.is_current) == ([1], False)
    may_end.set()
    monkeypatch.setattr(queues, "PATIENCE_SECONDS", 60)
    assert queue.get(key).is_current


def test_a_trouble_is_told_and_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(_: Installation, imager: str) -> list[Entry]:
        raise DatabaseError("the database does not answer")

    monkeypatch.setitem(QUEUE_KINDS, "teach", _kind(make))
    queue = Queues(site.installation)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="does not answer"):
            queue.get(Key("teach", OURS))


def _kind(make: object) -> QueueKind:
    return QueueKind(title="", meaning="", by_imager=True, unscored=True, make=make, why_empty=str)  # type: ignore[arg-type]
