"""Which models new scores are made with, and where an installation keeps them (docs/models.md).

Models come into the home's folder ``models`` as ``NAME-HASH.onnx`` with their cards, and stay there when others are
put to use: work that was begun with them is finished with them. ``in-use.json`` names those in use. It is written
last, whole or not at all, so that it never names a model that is not there.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from crystal_search.card_file import ABOUT, card_to_json
from crystal_search.errors import ConfigError, ModelError, ModelMismatchError, UserError
from crystal_search.files import write_whole
from crystal_search.images import WITH_OPENCV, channels_of
from crystal_search.inference import OnnxNetwork
from crystal_search.model import (
    CARD_SUFFIX,
    IN_USE,
    IN_USE_FORMAT,
    IN_USE_VERSION,
    Model,
    ModelInUse,
    cards_in,
    default_model,
    default_models,
    hashes_of,
    in_role,
    model_in_any,
    models_in_use,
    read_model,
)
from crystal_search.model_card import ClassifierCard, FirstLookCard, ModelCard
from crystal_search.named_models import HASH_DIGITS, ModelAtHand, models_at_hand
from crystal_search.scoring.looking import check_sees_less
from crystal_search.server.engines.engine import Waiting
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, model_folders
from crystal_search.server.unit_states import WITH_RESULT, is_in

log = logging.getLogger(__name__)

LONGEST_NAME = 70  #: of a file's name that is kept before the hash
OF_LABELS = ("fitted_at", "labels_sha256", "held_out", "proven", "difference", "figures")  #: how a readout was made
TOLD = ("name", "file", *ABOUT, *OF_LABELS)  #: what a card only tells people


@dataclass(frozen=True, slots=True)
class KnownModel(ModelAtHand):
    """A model that can be put to use by its name."""

    in_use: bool
    since: str  #: when it was put to use; empty where nobody did


def known_models(site: Installation) -> list[KnownModel]:
    """Return the models of the home, of the folder in use and of the package, each once, by role and name.

    Where one in use is lost, which is logged, the others are known all the same.
    """
    try:
        chosen = {model.card.sha256 for model in default_models(site.models)}
    except ModelError as error:
        log.warning("%s", error)
        chosen = {each.sha256 for each in models_in_use(site.models).values()}
    since = {each.sha256: each.since for each in models_in_use(site.models).values()}
    return [
        KnownModel(each.card, each.path, each.card.sha256 in chosen, since.get(each.card.sha256, ""))
        for each in models_at_hand(model_folders(site.home, site.settings))
    ]


def put_to_use(
    site: Installation,
    model: Model[ModelCard],
    *,
    update: bool = True,
    told: Callable[[str], None] = log.info,
) -> ModelInUse:
    """Install `model` into the home and have it used from now on, and with it those that are used now in other roles.

    An engine whose clients do not find models in the home brings it to them first.

    Parameters
    ----------
    update
        Whether the engine may sign what it brings to clients.
    told
        Called with each thing that the engine did.

    Raises
    ------
    ConfigError
        If the settings name a folder of models, which decides then.
    ModelError
        If the model does not answer as its card says, or the models in use would not go together.
    UserError, EngineError
        If the engine's clients have not all of the models; those that were in use still are.
    """
    check_usable(site, model)
    others = default_models(site.models, but=(model.card.role,))
    _check_together([*others, model])
    since = {each.sha256: each.since for each in models_in_use(site.models).values()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kept = (*others, *_replaced(type(model.card), site.models), model)
    for each in kept:
        install(each, site.home)
    if supply := site.engine.supply_models:
        for line in supply(site.home, site.settings, [*kept, *named_by_open_units(site)], update=update):
            told(line)
    cards = [each.card for each in (*others, model)]
    chosen = [
        ModelInUse(role=card.role, name=card.name, sha256=card.sha256, since=since.get(card.sha256) or now)
        for card in cards
    ]
    _write_in_use(site.home, chosen)
    return next(each for each in chosen if each.role == model.card.role)


def check_usable(site: Installation, model: Model[ModelCard]) -> None:
    """Refuse a model that cannot be put to use.

    Raises
    ------
    ConfigError
        If the settings name a folder of models, which decides then.
    ModelError
        If the model does not answer as its card says.
    UserError
        If it is no part of what scores images, as a readout, or clients cannot normalise images for it.
    """
    if not model.card.scores_images:
        raise UserError(f"{model.card.name} is a {model.card.title}, {model.card.instead}")
    if model.card.normalisation in WITH_OPENCV:
        raise UserError(
            f"{model.card.name} reads images by {model.card.normalisation}, for which clients lack OpenCV; name its "
            "card to `crystal-search crystals` or `evaluate`, or train with another --normalisation"
        )
    if site.settings.models:
        raise ConfigError(
            f"{site.home.settings} says models = {site.settings.models!r}, which decides; take that line out first"
        )
    check_answer(model)


def _check_together(models: Iterable[Model[ModelCard]]) -> None:
    by_role = {each.card.role: each for each in models}
    if (first := by_role.get(FirstLookCard.role)) is not None:
        check_sees_less(in_role(first, FirstLookCard).card, in_role(by_role["classifier"], ClassifierCard).card)


def _write_in_use(home: Home, chosen: Iterable[ModelInUse]) -> None:
    content = {"format": IN_USE_FORMAT, "version": IN_USE_VERSION, "models": [asdict(each) for each in chosen]}
    write_whole(home.models / IN_USE, json.dumps(content, indent=1) + "\n")


def _replaced(kind: type[ModelCard], folder: Path) -> list[Model[ModelCard]]:
    """Return the model that was used in a role until now, to be kept for work in flight; none if it is lost."""
    if not kind.needed and kind.role not in models_in_use(folder):
        return []
    try:
        return [default_model(kind, folder)]
    except ModelError as error:
        log.warning("%s", error)
        return []


def named_by_open_units(site: Installation) -> list[Model[ModelCard]]:
    """Return the models that open work units name, as far as they are still here, each once."""
    hashes = {
        sha256 for recipe in site.imaging.unit_recipes("open").values() for sha256 in hashes_of(recipe.models).values()
    }
    found = []
    for sha256 in sorted(hashes):
        try:
            found.append(model_in_any([site.models, site.home.models], sha256))
        except ModelError as error:
            log.warning("%s", error)
    return found


def units_waiting(site: Installation) -> Waiting:
    """Return which models the open work units without a result name, for the engine to tell whether they can be had."""
    units = Counter(
        recipe.models
        for name, recipe in site.imaging.unit_recipes("open").items()
        if not is_in(site.home, name, *WITH_RESULT)
    )
    return Waiting(settings=site.settings, models=(site.models, site.home.models), units=units)


def install(model: Model[ModelCard], home: Home) -> Path:
    """Write `model` into the home's folder, the card last, and return the card's path; one that is there whole stays.

    Its files carry its hash, so that two models of one name lie side by side.

    Raises
    ------
    ModelMismatchError
        If the same file is there with a card by which it is scored otherwise.
    """
    path = cards_in(home.models).get(model.card.sha256)
    if path is not None and (there := _whole(path)):
        _check_same(there.card, model.card, path)
        return path
    home.models.mkdir(parents=True, exist_ok=True)
    name = f"{model.card.file.removesuffix(model.card.suffix)[:LONGEST_NAME]}-{model.card.sha256[:HASH_DIGITS]}"
    path = home.models / f"{name}{CARD_SUFFIX}"
    write_whole(home.models / f"{name}{model.card.suffix}", model.onnx)
    write_whole(path, card_to_json(replace(model.card, file=f"{name}{model.card.suffix}")))
    return path


def _whole(path: Path) -> Model[ModelCard] | None:
    """Return the model of a card, None if its file is lost or damaged."""
    try:
        return read_model(path)
    except ModelError as error:
        log.warning("%s", error)
        return None


def _check_same(there: ModelCard, new: ModelCard, path: Path) -> None:
    names = ("role", *(each.name for each in fields(type(new)) if each.name not in TOLD))
    if differing := [name for name in names if getattr(there, name, None) != getattr(new, name)]:
        first = f"put another {there.title} to use, " if there.needed else ""
        raise ModelMismatchError(
            f"{path} describes the same file as the card of {new.name}, but differs in {', '.join(differing)}; scores "
            f"are told apart by the file's hash alone: {first}forget {there.name}, and put {new.name} to use then"
        )


def check_answer(model: Model[ModelCard]) -> None:
    """Run `model` once.

    Raises
    ------
    ModelError
        If it cannot be run, or does not answer as its card says.
    """
    card = model.card
    side, channels = card.trial_side_px, channels_of(card.normalisation)
    try:
        maps = OnnxNetwork(model).maps(np.zeros((1, channels, side, side), np.float32))
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        raise ModelError(f"{card.file} cannot be run: {error}; install the model again") from error
    for output in card.outputs if card.answers_maps else ():
        cells = card.cells_in_trial(output)
        if (got := maps[output.name].shape[2:]) != (cells, cells):
            raise ModelMismatchError(
                f"{card.file} answers {side} x {side} px with a map of {got[0]} x {got[1]}; "
                f"the {card.title} of its card would with {cells} x {cells}"
            )


def forget(site: Installation, model: KnownModel) -> int:
    """Take a model out of the home, card first; one in a role that need not have any is no longer used then.

    While open work units name one that was used until now, its files stay for them: it is to be forgotten once more
    when they are over. Return how many they are, 0 when its files are gone.

    Raises
    ------
    UserError
        If it is in use in a role that needs one, it does not lie in the home, or it is not in use and an open work unit
        names it.
    """
    if model.path.parent != site.home.models:
        raise UserError(f"{model.card.name} lies in {model.path.parent}, not in {site.home.models}; nothing to forget")
    if model.in_use and model.card.needed:
        raise UserError(f"{model.card.name} is in use; put another {model.card.title} to use first")
    waiting = [
        name
        for name, recipe in site.imaging.unit_recipes("open").items()
        if model.card.sha256 in hashes_of(recipe.models).values()
    ]
    if waiting and not model.in_use:
        raise UserError(f"{len(waiting)} open work units name {model.card.name}, as {waiting[0]}; wait for them")
    if model.in_use and (chosen := models_in_use(site.home.models)):
        _write_in_use(site.home, [each for each in chosen.values() if each.role != model.card.role])
    if not waiting:
        model.path.unlink()
        (model.path.parent / model.card.file).unlink(missing_ok=True)
    return len(waiting)
