"""Versions of the application that volunteers get, and whether they bring the models that a work unit names.

A BOINC server gives each volunteer the newest version for its platform and plan class, whatever the task needs. So a
model is live when every one of these versions brings it: then nobody gets a task that needs a model without the model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.model import CARD_SUFFIX, ModelRef, cards_in, sha256_of
from crystal_search.model_card import ROLES, ModelCard
from crystal_search.server.engines.boinc.project import APP

DIGEST_LENGTH = 12
MODEL_PREFIXES = tuple(f"{APP}_{role}_" for role in ROLES)  #: of the names of models' files on volunteers' disks


@dataclass(frozen=True, slots=True, kw_only=True)
class AppVersion:
    """The newest version of the application for one platform and plan class."""

    number: int  #: hundreds and units: 103 for 1.03
    platform: str  #: as BOINC's folders are called: PLATFORM, or PLATFORM__PLANCLASS
    files: frozenset[str]  #: what they are called on volunteers' disks

    def __str__(self) -> str:
        return f"version {self.number / 100:.2f} for {self.platform}"


@dataclass(frozen=True, slots=True)
class VolunteersModel:
    """A model's card as volunteers get it: what only tells people is left out, so that equal models are equal files."""

    card: ModelCard

    @classmethod
    def of(cls, card: ModelCard) -> "VolunteersModel":
        """Return the model of `card` as volunteers get it."""
        name = f"{card.role}_{card.sha256[:DIGEST_LENGTH]}"
        return cls(replace(card, name=name, file=f"{name}.onnx", training_data="", training_command="", measured=()))

    @property
    def text(self) -> str:
        """What the card's file says."""
        return card_to_json(self.card)

    @property
    def onnx_name(self) -> str:
        """What the model's file is called on volunteers' disks."""
        return f"{APP}_{self.card.file}"

    @property
    def card_name(self) -> str:
        """What the card's file is called there; by its content too, since a model may be calibrated anew."""
        return f"{APP}_{self.card.name}_{sha256_of(self.text.encode())[:DIGEST_LENGTH]}{CARD_SUFFIX}"

    @property
    def file_names(self) -> frozenset[str]:
        """What its files are called there."""
        return frozenset((self.onnx_name, self.card_name))


@dataclass(frozen=True, slots=True)
class Stock:
    """Which versions volunteers get, and what the files of the models that are known here are called there."""

    versions: Sequence[AppVersion]
    file_names: Mapping[str, frozenset[str]]  #: by the model's hash

    @classmethod
    def of(cls, versions: Sequence[AppVersion], folders: Iterable[Path]) -> "Stock":
        """Return the stock of these versions; of two cards of one model, that of the first folder counts."""
        paths: dict[str, Path] = {}
        for folder in folders:
            paths = cards_in(folder) | paths
        cards = (card_from_json(path.read_bytes()) for path in paths.values())
        return cls(versions, {card.sha256: VolunteersModel.of(card).file_names for card in cards})

    def trouble(self, models: Iterable[ModelRef]) -> str:
        """Return why volunteers cannot compute what names these models, and what to do; empty when all can."""
        if not self.versions:
            return "no version of the program is live: crystal-search boinc stage PROGRAM"
        for model in models:
            name = model.name or model.sha256[:DIGEST_LENGTH]
            if model.sha256 not in self.file_names:
                return f"{name} is not among the models here: put it to use again"
            without = [str(each) for each in self.versions if not self.file_names[model.sha256] <= each.files]
            if without:
                return f"{', '.join(without)} does not bring {name}: crystal-search boinc stage"
        return ""
