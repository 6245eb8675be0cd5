"""Which models and settings count where files are looked at: those of an installation, else the program's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.model import FOR_DROPS, Model, default_models, default_models_folder, in_role, read_model
from crystal_search.model_card import ROLES, CrystalCard
from crystal_search.named_models import ModelAtHand, models_at_hand, named_model
from crystal_search.scoring.pipeline import Models, loaded
from crystal_search.server.home import Home
from crystal_search.server.installation import model_folders, models_folder
from crystal_search.server.settings import Settings, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The models and the settings that count; by default those that come with the program."""

    models: Path = field(default_factory=default_models_folder)  #: folder of the models to use
    settings: Settings = field(default_factory=Settings)
    called_in: tuple[Path, ...] = ()  #: folders whose models can be called by their names, beside the package's own

    def at_hand(self) -> list[ModelAtHand]:
        """Return the models that can be called by their names, the package's own among them."""
        return models_at_hand(self.called_in)

    def detector(self, named: str | None, *, drops: bool = False) -> Model[CrystalCard]:
        """Return the crystal detector that is named, else the one in use, else the package's own, that for `drops`.

        Raises
        ------
        UserError
            If there is none of that name.
        ModelError
            If it cannot be used.
        """
        if named is None:
            others = [role for role in ROLES if role != CrystalCard.role]
            for used in default_models(self.models, but=others):
                return in_role(used, CrystalCard)
            named = FOR_DROPS if drops else None
        return named_model(named, CrystalCard, self.at_hand)


def as_installed(home: Path | None = None, *, models: Path | None = None) -> Installed:
    """Return the models and settings of an installation, which is read once, here.

    Parameters
    ----------
    home
        Of the installation; None: the package's models and the usual settings count.
    models
        A folder of models that count in the place of those in use.

    Raises
    ------
    UserError
        If `home` is no installation, or its settings cannot be used.
    """
    named = () if models is None else (models,)
    if home is None:
        return Installed(models=models or default_models_folder(), called_in=named)
    there = Home(home).found()
    settings = read_settings(there.settings)
    return Installed(
        models=models or models_folder(there, settings),
        settings=settings,
        called_in=(*named, *model_folders(there, settings)),
    )


def models_in(folder: Path, named: Sequence[Path] = ()) -> Models:
    """Return the networks of the models to use from `folder`, those whose cards are named in their roles.

    Raises
    ------
    ModelError
        If the folder does not hold one model of each kind to use, or a model cannot be read.
    """
    instead = [read_model(path) for path in named]
    return loaded([*default_models(folder, but=[each.card.role for each in instead]), *instead])
