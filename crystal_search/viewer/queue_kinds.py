"""Which lists of images there are that are worth a look, how each is made, and what is said where one is empty."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from crystal_search.errors import ModelError, UserError
from crystal_search.model import default_models
from crystal_search.server.feature_store.feature_store import FeatureStore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.disagreements import NEWEST, Against, disagreements, people_differ
from crystal_search.server.services.drops_to_label import drops_to_label
from crystal_search.server.services.imager_features import store_in_use
from crystal_search.server.services.shown_scores import shown_in
from crystal_search.server.services.strange_records import HISTORY, read_all_strange, strangest_of_late
from crystal_search.viewer.json_records import Record

MOST = 500  #: images of a list


class Entry(NamedTuple):
    """An image of a list."""

    image: StoredImage
    told: Record  #: what else is said of it: ``said`` has lines for people


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueKind:
    """One kind of list."""

    title: str
    meaning: str  #: a sentence for people
    by_imager: bool  #: whether there is one of each imager
    unscored: bool  #: whether what people have scored is in it no more
    make: Callable[[Installation, str], list[Entry]]  #: of an imager's images, or of all
    why_empty: Callable[[Installation], str]  #: says why a list may be empty, and what to do


def store_of_models(site: Installation) -> FeatureStore | None:
    """Return the store of what the models in use said; None where there are no features by them."""
    try:
        return store_in_use(site)
    except UserError:
        return None


def _to_label(site: Installation, imager: str) -> list[Entry]:
    store = store_of_models(site)
    images = drops_to_label(site, store, imager, count=MOST) if store else []
    return [Entry(image, {}) for image in images]


def _nothing_to_label(site: Installation) -> str:
    if store_of_models(site) is None:
        return "There are no features by the models in use yet; they come with scores: let images be scored first."
    return "People have scored every drop that was looked through: there is nothing left to ask for this imager."


def _against(what: Against) -> Callable[[Installation, str], list[Entry]]:
    of = {"person": "person", "second": "second opinion"}[what]

    def make(site: Installation, _: str) -> list[Entry]:
        found = disagreements(site.imaging, what, shown_in(site.home, site.imagers)())[:MOST]
        return [
            Entry(
                each.drop.image,
                {
                    "machine": each.machine,
                    what: each.other,
                    "sure": round(each.sure, 4),
                    "said": [
                        f"machine: {_words(each.machine)}, {100 * each.sure:.0f} %",
                        f"{of}: {_words(each.other)}",
                    ],
                },
            )
            for each in found
        ]

    return make


def _words(name: str) -> str:
    return name.replace("_", " ")


def _person_agrees(site: Installation) -> str:
    if not any(site.imaging.hand_state()):
        return (
            "Nobody has scored a drop by hand yet: score some on the page of a plate, and those are listed here "
            "about which the machine says otherwise."
        )
    return (
        "People and the machine name the same groups, or the machine is unsure, wherever people have scored: "
        "there is nothing to do."
    )


def _models_agree(site: Installation) -> str:
    try:
        has_image = any(model.card.role == "image" for model in default_models(site.models))
    except ModelError as error:
        return f"It is not known which models are in use: {error}"
    if not has_image:
        return (
            "No model gives second opinions: put one of the role `image` to use with `crystal-search models "
            "use`, and new images get one."
        )
    return (
        f"Score and second opinion name the same groups in the newest {NEWEST} images, or one of them is "
        "missing or unsure: there is nothing to do."
    )


def _people(site: Installation, _: str) -> list[Entry]:
    found = people_differ(site.imaging)[:MOST]
    return [
        Entry(each.image, {"said": [f"{score.person}: {_words(score.outcome)}" for score in each.people]})
        for each in found
    ]


def _people_agree(site: Installation) -> str:
    if not site.imaging.scored_by_several():
        return (
            "No drop has scores of two people yet: let somebody else score drops that are scored already, best "
            "with the machine and others out of sight."
        )
    return "All people who scored the same drop name the same group: there is nothing to do."


def _strange(site: Installation, _: str) -> list[Entry]:
    records = read_all_strange(site.home.sentinel)
    found = [(each, image, record) for record in records for each, image in strangest_of_late(site.imaging, record)]
    found.sort(key=lambda told: -told[0].beyond)
    return [
        Entry(image, {"said": [f"{each.beyond:.1f} times the farthest distance learnt", f"imager: {record.name}"]})
        for each, image, record in found[:MOST]
    ]


def _nothing_strange(site: Installation) -> str:
    if all(record.is_learning for record in read_all_strange(site.home.sentinel)):
        return (
            f"It is not known yet what is ordinary: the sentinel learns it from {HISTORY} scored images of an "
            "imager, while `crystal-search watch` runs."
        )
    return "None of the images of late is out of the ordinary: there is nothing to do."


QUEUE_KINDS = {
    "teach": QueueKind(
        title="Scores that would teach most",
        meaning="Nobody has scored these. By turns likely crystals and drops of which the score is unsure, each unlike "
        "those before.",
        by_imager=True,
        unscored=True,
        make=_to_label,
        why_empty=_nothing_to_label,
    ),
    "person": QueueKind(
        title="Person and machine disagree",
        meaning="A person and the machine named different groups; first those of which the machine was surest.",
        by_imager=False,
        unscored=False,
        make=_against("person"),
        why_empty=_person_agrees,
    ),
    "people": QueueKind(
        title="Two people disagree",
        meaning="People named different groups; first those in which somebody saw crystals, the newest first.",
        by_imager=False,
        unscored=False,
        make=_people,
        why_empty=_people_agree,
    ),
    "second": QueueKind(
        title="Two models disagree",
        meaning="The score and the second opinion name different groups, in the newest images; first those of which "
        "both are surest.",
        by_imager=False,
        unscored=False,
        make=_against("second"),
        why_empty=_models_agree,
    ),
    "strange": QueueKind(
        title="Out of the ordinary",
        meaning="Images of late, farther from their imager's history than nearly all of it, the farthest first. "
        "A rare crystal may be among them, and so may a fault of the imager.",
        by_imager=False,
        unscored=False,
        make=_strange,
        why_empty=_nothing_strange,
    ),
}
