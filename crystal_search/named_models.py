"""Models as people name them: by the file of a card, or by a model's name or hash among those that are at hand."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from crystal_search.card_file import card_from_json
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.model import (
    CARD_SUFFIX,
    Card,
    Model,
    cards_in,
    default_model,
    default_models_folder,
    in_role,
    read_model,
)
from crystal_search.model_card import ModelCard

HASH_DIGITS = 12
CARD = "a card's file"  #: that may be named instead of a model, in words
CARD_OR_TRAINING = "a card's file or a training's folder"


@dataclass(frozen=True, slots=True)
class ModelAtHand:
    """A model that can be called by its name."""

    card: ModelCard
    path: Path  #: of the card

    @property
    def short_hash(self) -> str:
        """The first digits of its hash."""
        return self.card.sha256[:HASH_DIGITS]


Known = Callable[[], Sequence[ModelAtHand]]
AtHand = TypeVar("AtHand", bound=ModelAtHand)


def models_at_hand(folders: Iterable[Path] = ()) -> list[ModelAtHand]:
    """Return the models of some folders and of the package, each once, by role and name.

    >>> [each.card.name for each in models_at_hand() if each.card.role == "crystals"]
    ['dense-crystals-3', 'drop-crystals-1']
    """
    paths: dict[str, Path] = {}
    for folder in (*folders, default_models_folder()):
        paths = cards_in(folder) | paths
    found = [ModelAtHand(card_from_json(path.read_bytes()), path) for path in paths.values()]
    return sorted(found, key=lambda each: (each.card.role, each.card.name, each.card.sha256))


def model_called(
    name: str, known: Sequence[AtHand], kind: type[ModelCard] = ModelCard, *, instead: str = CARD
) -> AtHand:
    """Return the model of `known` that has this name or hash; of several one in the role that `kind` is the card of.

    What else could be named is said in the message: `instead`.

    Raises
    ------
    UnknownNameError
        If there is none, or more than one; the message lists those there are in that role.
    """
    wanted = [each for each in known if isinstance(each.card, kind)]
    called = [each for each in known if name in (each.card.name, each.short_hash, each.card.sha256)]
    fitting = [each for each in called if isinstance(each.card, kind)] or called
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{each.card.name} ({each.short_hash})" for each in fitting or wanted)
    if fitting:
        raise UnknownNameError(f"{len(fitting)} models are called {name!r}: {listed}; give the hash")
    choice = f"choose from {listed}, or " if listed else ""
    raise UnknownNameError(f"no model {name!r}, and no such file or folder; {choice}give {instead}")


def card_called(named: str, known: Known, kind: type[ModelCard] = ModelCard, *, instead: str = CARD) -> Path:
    """Return the card that is meant by a file's name, or by the name or hash of a model of `known`.

    These are asked for only where it is no file: a model that is lost keeps nobody from naming another.

    Raises
    ------
    UnknownNameError
        If there is no such file and no such model.
    UserError
        If it is a file or folder beside or in which there are cards, but is none.
    """
    if not named:
        return model_called(named, known(), kind, instead=instead).path
    path = Path(named)
    cards = sorted(path.glob(f"*{CARD_SUFFIX}")) if path.is_dir() else [path.with_suffix(CARD_SUFFIX)]
    if path.is_dir() and cards:
        raise UserError(f"{path} is a folder; name a card in it: {', '.join(map(str, cards))}")
    if path.suffix == ".onnx" and cards[0].is_file():
        raise UserError(f"{path} is the network of a model; name its card: {cards[0]}")
    return path if path.is_file() else model_called(named, known(), kind, instead=instead).path


def named_model(
    named: str | None, kind: type[Card], known: Known = models_at_hand, *, instead: str = CARD
) -> Model[Card]:
    """Return the model that is meant, in the role that `kind` is the card of; where none is named, the package's own.

    Raises
    ------
    UserError
        If it is none.
    ModelError
        If it cannot be used, or plays another role.
    """
    if named is None:
        return default_model(kind)
    return in_role(read_model(card_called(named, known, kind, instead=instead)), kind)
