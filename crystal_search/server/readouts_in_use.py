"""Which readout is in use for which imager (docs/adaptation.md).

``readouts-in-use.json`` in the home's folder ``models`` says it, and nothing else does: the scores of a readout stay in
the ledger beside the shipped ones, and this file decides which of both people are shown.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial

from crystal_search.adaptation.readout_model import rescoring_of
from crystal_search.errors import DatabaseError, ModelError, UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.known_names import unknown_name
from crystal_search.model import Model, cards_in, looks_in, looks_of, read_card
from crystal_search.model_card import ReadoutCard
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.installation import Installation
from crystal_search.server.locks import only_service
from crystal_search.server.models_in_use import install
from crystal_search.who_looks import Looks

IN_USE, IN_USE_FORMAT, IN_USE_VERSION = "readouts-in-use.json", "crystal-search readouts in use", 1
MOST_IMAGERS = 1000
MOST_LOOKED_AT = 2048  #: images of a recipe, to tell whether a readout is idle

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutInUse:
    """Which readout scores the images of an imager."""

    imager: str
    name: str
    sha256: str
    since: str  #: when it was put to use, ISO 8601 in UTC; another time, another use


def readouts_in_use(home: Home) -> dict[str, ReadoutInUse]:
    """Return the readouts in use, by imager.

    Raises
    ------
    ModelError
        If the file that says so cannot be read.
    """
    path = home.models / IN_USE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; put the readouts to use again") from error
    return {each.imager: each for each in read_whole(text, str(path), ModelError, _all_in_use)}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleReadout:
    """A readout in use that scores nothing: it reads other models than those in use, or than those of all scores."""

    used: ReadoutInUse
    reads: Looks
    now: Looks

    @property
    def because(self) -> str:
        """Why, in a few words."""
        if self.reads.fit(self.now):
            return "the scores shown of its images are by other models"
        return "it reads the answers of other models"

    @property
    def said(self) -> str:
        """What people read."""
        name, imager = self.used.name, self.used.imager
        unused = f"take it out of use (crystal-search models unuse '{imager}')"
        if self.reads.fit(self.now):
            return (
                f"the readout {name} of {imager!r} scores no image: it reads the answers of {self.reads}, and the "
                "scores shown of the images that are there are by other models; wait for images that the models in "
                f"use score from now on, or {unused}"
            )
        return (
            f"the readout {name} of {imager!r} reads the answers of {self.reads}, and scores no image that "
            f"{self.now} scored: fit it anew, from the same labels (crystal-search adapt), or {unused}"
        )


def idle_readouts(site: Installation) -> list[IdleReadout]:
    """Return the readouts in use that can score nothing.

    They read the answers of other models than those that look at images now, or than those by which the scores are
    that are shown of the imager's images. Of the latter the newest of each recipe are looked at; where these do not
    tell, a readout is not called idle.

    Raises
    ------
    ModelError
        If it cannot be read which readouts or models are in use.
    DatabaseError
        If the scores cannot be read.
    """
    used, cards = readouts_in_use(site.home), cards_in(site.home.models)
    if not used:
        return []
    now = looks_in(site.models)
    read = {each.sha256: read_card(cards[each.sha256]) for each in used.values() if each.sha256 in cards}
    recipes = site.imaging.recipes()
    newest = cache(partial(_newest_scored, site))
    return [
        IdleReadout(used=each, reads=card.looks, now=now)
        for each in used.values()
        if isinstance(card := read.get(each.sha256), ReadoutCard)
        and (not card.looks.fit(now) or _reads_none(card.looks, each.imager, recipes, newest))
    ]


@dataclass(frozen=True, slots=True)
class _Newest:
    """Of which imagers the images are whose last score is by a recipe."""

    imagers: frozenset[str]
    are_all: bool  #: whether there are no older ones that were not looked at


def _newest_scored(site: Installation, recipe: Recipe) -> _Newest:
    images = site.imaging.scored_images(recipe, limit=MOST_LOOKED_AT)
    return _Newest(frozenset(map(site.imagers.of, images)), len(images) < MOST_LOOKED_AT)


def _reads_none(reads: Looks, imager: str, recipes: Sequence[Recipe], newest: Callable[[Recipe], _Newest]) -> bool:
    """Tell whether images of an imager have scores, and none of them one by the models that a readout reads."""
    mine = {recipe for recipe in recipes if reads.fit(looks_of(recipe.models))}
    others = [recipe for recipe in recipes if recipe not in mine]
    if not others or any(imager in newest(recipe).imagers or not newest(recipe).are_all for recipe in mine):
        return False
    return any(imager in newest(recipe).imagers for recipe in others)


def idle_if_known(site: Installation) -> list[IdleReadout]:
    """Return the readouts in use that score nothing; none, and a line in the log, where that cannot be told."""
    try:
        return idle_readouts(site)
    except (DatabaseError, ModelError) as error:
        log.warning("no readout is told to be idle: %s", error)
        return []


def _all_in_use(read: Reader) -> tuple[ReadoutInUse, ...]:
    read.format(IN_USE_FORMAT, IN_USE_VERSION)
    return read.objects("readouts", _in_use, limit=MOST_IMAGERS)


def _in_use(read: Reader) -> ReadoutInUse:
    return ReadoutInUse(
        imager=read.text("imager", limit=200),
        name=read.text("name", limit=100),
        sha256=read.sha256("sha256"),
        since=read.text("since", limit=40),
    )


def use_readout(
    site: Installation, model: Model[ReadoutCard], imager: str = "", *, anyway: bool = False
) -> ReadoutInUse:
    """Have a readout score the images of an imager from now on, and of the store as rescoring comes to them.

    Parameters
    ----------
    imager
        Whose images; empty: the imager whose labels it was fitted to.
    anyway
        Whether it is used though it is not proven better than the shipped score.

    Raises
    ------
    ModelMismatchError
        If it reads the answers of other models than those in use.
    UserError
        If it is not proven better, or no image can be of that imager.
    """
    imager = imager or model.card.imager
    if not site.imagers.may_be(imager):
        raise UserError(
            f"no image can be of an imager {imager!r}: neither do the settings name it, nor is it a serial number as "
            "paths have them; name one with --imager, or write it into the settings' table [imagers]"
        )
    rescoring_of(model, looks_in(site.models))
    if not (model.card.proven or anyway):
        raise UserError(f"{model.card.name} is not proven better than the shipped score; --anyway takes it even so")
    install(model, site.home)
    used = ReadoutInUse(
        imager=imager, name=model.card.name, sha256=model.card.sha256, since=datetime.now(UTC).isoformat()
    )
    with only_service(site.home):
        write_readouts_in_use(site.home, readouts_in_use(site.home) | {imager: used})
    return used


def unuse_readout(site: Installation, imager: str) -> ReadoutInUse:
    """Have the shipped score stand for the images of an imager again; return what was in use.

    Raises
    ------
    UnknownNameError
        If no readout is in use for it.
    """
    with only_service(site.home):
        there = readouts_in_use(site.home)
        if imager not in there:
            raise unknown_name(map(repr, sorted(there)), imager, "imager", which="with a readout in use")
        used = there.pop(imager)
        write_readouts_in_use(site.home, there)
    return used


def check_not_used(home: Home, sha256: str, name: str) -> None:
    """Refuse to take a readout away that is in use.

    Raises
    ------
    UserError
        If it is.
    """
    if imagers := [each.imager for each in readouts_in_use(home).values() if each.sha256 == sha256]:
        raise UserError(f"{name} is in use for {imagers[0]!r}; first: crystal-search models unuse '{imagers[0]}'")


def write_readouts_in_use(home: Home, chosen: Mapping[str, ReadoutInUse]) -> None:
    """Have these readouts be in use, by imager, and no others; the holder of the services' lock does."""
    listed: Iterable[ReadoutInUse] = (chosen[imager] for imager in sorted(chosen))
    content = {"format": IN_USE_FORMAT, "version": IN_USE_VERSION, "readouts": [asdict(each) for each in listed]}
    home.models.mkdir(parents=True, exist_ok=True)
    write_whole(home.models / IN_USE, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
