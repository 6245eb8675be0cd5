"""Models: a file, most often of ONNX, and the card that says what it is. A mismatch is refused, never guessed."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from crystal_search.card_file import card_from_json, card_to_json, role_in
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model_card import ANSWERING_ROLES, ROLES, ClassifierCard, CrystalCard, FirstLookCard, ModelCard
from crystal_search.who_looks import Looks

CARD_SUFFIX = ".card.json"
IN_USE, IN_USE_FORMAT, IN_USE_VERSION = "in-use.json", "crystal-search models in use", 2

Card = TypeVar("Card", bound=ModelCard)
Card_co = TypeVar("Card_co", bound=ModelCard, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which model plays a role in a work unit, a result or a recipe; the hash counts, the name is told."""

    role: str  #: a key of `ROLES`
    name: str = field(default="", compare=False)  #: what people call it; empty where nobody said
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInUse(ModelRef):
    """Which model of a folder is the one to use in its role."""

    since: str  #: when it was put to use, ISO 8601 in UTC


@dataclass(frozen=True, slots=True)
class Model(Generic[Card_co]):
    """A card and the file it describes, hash checked."""

    card: Card_co
    onnx: bytes  #: the file; weights of a readout are JSON


def in_role(model: Model[ModelCard], kind: type[Card]) -> Model[Card]:
    """Return the model as one of the role that `kind` is the card of.

    Raises
    ------
    ModelMismatchError
        If it plays another one.
    """
    if not isinstance(model.card, kind):
        raise ModelMismatchError(f"{model.card.name} is a {model.card.title}, expected a {kind.title}")
    return Model(model.card, model.onnx)


def references(models: "Iterable[Model[ModelCard]]") -> tuple[ModelRef, ...]:
    """Return what work units and recipes say of these models, in the order of their roles."""
    cards = sorted((model.card for model in models), key=lambda card: card.role)
    return tuple(ModelRef(role=card.role, name=card.name, sha256=card.sha256) for card in cards)


def hashes_of(models: Iterable[ModelRef]) -> dict[str, str]:
    """Return the models' hashes by role."""
    return {model.role: model.sha256 for model in models}


def answering(models: Iterable[ModelRef]) -> tuple[ModelRef, ...]:
    """Return those of the models whose answers a score holds; the first is whose features it has."""
    by_role = {model.role: model for model in models}
    return tuple(by_role[role] for role in ANSWERING_ROLES if role in by_role)


def looks_of(models: Iterable[ModelRef]) -> Looks:
    """Return which of the models look at images, of which one is a classifier."""
    by_role = hashes_of(models)
    classifier = by_role[ClassifierCard.role]
    return Looks.of(first=by_role.get(FirstLookCard.role, classifier), classifier=classifier)


def models_named(read: Reader, version: int) -> tuple[ModelRef, ...]:
    """Return the models that a work unit or result names, by role; version 1 named a classifier and a drop locator."""
    if version == 1:
        return tuple(ModelRef(role=role, sha256=read.sha256(f"{role}_sha256")) for role in ("classifier", "drop"))
    models = sorted(read.objects("models", _ref, limit=100), key=lambda each: each.role)
    roles = [each.role for each in models]
    needed = {role for role, kind in ROLES.items() if kind.needed}
    if len(set(roles)) != len(roles) or not needed <= set(roles):
        read.fail("models", f"one model for each role, of {' and '.join(sorted(needed))} at least", roles)
    return tuple(models)


def _ref(read: Reader) -> ModelRef:
    return ModelRef(role=read.choice("role", ROLES), name=read.text("name", limit=100), sha256=read.sha256("sha256"))


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_card(path: Path) -> ModelCard:
    """Return the card that is the file `path`; the file that it describes may be lost.

    Raises
    ------
    ModelCardError
        If it breaks the format.
    ModelError
        If it cannot be read.
    """
    try:
        return card_from_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; name a card that is there") from error
    except ModelCardError as error:
        raise ModelCardError(f"{path}: {error}") from error


def read_model(card_path: Path) -> Model[ModelCard]:
    """Return the model whose card is the file `card_path`.

    Raises
    ------
    ModelCardError
        If the card breaks the format.
    ModelMismatchError
        If the ONNX file beside it has another hash.
    ModelError
        If a file cannot be read.
    """
    try:
        card = card_from_json(card_path.read_bytes())
        onnx = (card_path.parent / card.file).read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read model {card_path}: {error.strerror}; install the model again") from error
    except ModelCardError as error:
        raise ModelCardError(f"{card_path}: {error}") from error
    if (digest := sha256_of(onnx)) != card.sha256:
        raise ModelMismatchError(f"{card.file}: sha256 is {digest}, its card says {card.sha256}; fetch it again")
    return Model(card, onnx)


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write ``NAME.card.json`` to `folder`, whole or not at all, and return its path."""
    path = folder / f"{card.name}{CARD_SUFFIX}"
    write_whole(path, card_to_json(card))
    return path


def write_model(onnx: bytes, card: ModelCard, folder: Path) -> Path:
    """Write the file `onnx` and its card to `folder`, file and hash filled in; return the card's path.

    Each is written whole or not at all, the card last, so that no card ever describes a file that is not there.
    """
    card = replace(card, file=f"{card.name}{card.suffix}", sha256=sha256_of(onnx))
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / card.file, onnx)
    return write_card(card, folder)


def cards_in(folder: Path) -> dict[str, Path]:
    """Return the cards in `folder` by the sha256 that they name; cards that cannot be read are left out."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"*{CARD_SUFFIX}")):
        try:
            found[card_from_json(path.read_bytes()).sha256] = path
        except (ModelCardError, OSError):
            continue
    return found


def model_in_any(folders: Sequence[Path], sha256: str) -> Model[ModelCard]:
    """Return the model with this hash from the first of `folders` that has it.

    Raises
    ------
    ModelError
        If none has.
    """
    different = tuple(dict.fromkeys(folders))
    for folder in different:
        if path := cards_in(folder).get(sha256):
            return read_model(path)
    raise ModelError(f"no model with sha256 {sha256} in {', '.join(map(str, different))}; install it there")


def models_in_use(folder: Path) -> dict[str, ModelInUse]:
    """Return by role which models ``in-use.json`` of `folder` names; none where there is no such file.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    path = folder / IN_USE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; put the models to use again") from error
    return {each.role: each for each in read_whole(text, str(path), ModelError, _all_in_use)}


def _all_in_use(read: Reader) -> tuple[ModelInUse, ...]:
    version = read.format(IN_USE_FORMAT, IN_USE_VERSION)
    return read.objects("models", partial(_in_use, version=version), limit=len(ROLES))


def _in_use(read: Reader, version: int) -> ModelInUse:
    return ModelInUse(
        role=role_in(read, version),
        name=read.text("name", limit=100),
        sha256=read.sha256("sha256"),
        since=read.text("since", limit=40),
    )


#: Of several models in one role that come with the program: which one is meant where none is named.
SHIPPED = {CrystalCard.role: "dense-crystals-3"}
FOR_DROPS = "drop-crystals-1"  #: the one that is meant instead where crystals are searched in drops


def default_models_folder() -> Path:
    """Return the folder of the weights that come with the package."""
    return Path(__file__).parent / "models"


def default_model(kind: type[Card], folder: Path | None = None) -> Model[Card]:
    """Return the model to use from `folder` (default: the package's own) in the role that `kind` is the card of.

    That is the one which ``in-use.json`` names, else the only one there is, or of the package's own that in `SHIPPED`.

    Raises
    ------
    ModelError
        If there is none, or more than one to choose from.
    """
    folder = folder or default_models_folder()
    if chosen := models_in_use(folder).get(kind.role):
        if path := cards_in(folder).get(chosen.sha256):
            return in_role(read_model(path), kind)
        raise ModelError(
            f"the {kind.title} in use, {chosen.name} ({chosen.sha256[:12]}), is not in {folder}: bring its files back, "
            "or put it or another one to use (crystal-search models use)"
        )
    fitting = _models_in(folder, kind)
    if folder == default_models_folder() and kind.role in SHIPPED:
        fitting = [each for each in fitting if each.card.name == SHIPPED[kind.role]]
    if len(fitting) != 1:
        names = ", ".join(model.card.name for model in fitting) or "none"
        raise ModelError(f"expected one {kind.title} in {folder}, found {names}; name a folder with one")
    return in_role(fitting[0], kind)


def features_model(folder: Path) -> Model[ClassifierCard]:
    """Return the model to use from `folder` whose features scores have: a first look where there is one.

    Raises
    ------
    ModelError
        If there is none, or more than one to choose from.
    """
    return default_model(FirstLookCard if _is_used(FirstLookCard, folder) else ClassifierCard, folder)


def looks_in(folder: Path) -> Looks:
    """Return which of the models to use from `folder` look at images.

    Raises
    ------
    ModelError
        If there is none, or more than one to choose from.
    """
    classifier = default_model(ClassifierCard, folder).card.sha256
    return Looks.of(first=features_model(folder).card.sha256, classifier=classifier)


def default_models(folder: Path, *, but: Sequence[str] = ()) -> list[Model[ModelCard]]:
    """Return the models that score images from `folder`, in every role that has one, but in none of those named.

    Where ``in-use.json`` names models, one in a role that is not needed is used only if it is named.

    Raises
    ------
    ModelError
        If a role that is needed has none, or one has more than one to choose from.
    """
    kinds = [kind for role, kind in ROLES.items() if role not in but and kind.scores_images]
    return [default_model(kind, folder) for kind in kinds if _is_used(kind, folder)]


def _is_used(kind: type[ModelCard], folder: Path) -> bool:
    """Tell whether images are scored with a model of a kind."""
    chosen = models_in_use(folder)
    return kind.needed or kind.role in chosen or bool(not chosen and _models_in(folder, kind))


def _models_in(folder: Path, kind: type[ModelCard]) -> list[Model[ModelCard]]:
    """Return the models of a kind in `folder`; of others, which may be lost, no file is read."""
    paths = (path for path in cards_in(folder).values() if card_from_json(path.read_bytes()).role == kind.role)
    return [read_model(path) for path in paths]
