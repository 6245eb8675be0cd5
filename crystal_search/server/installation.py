"""One installation, opened: its home folder, settings and imaging database."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crystal_search.artefacts import default_model, default_models_folder
from crystal_search.server.home import Home
from crystal_search.server.imaging import ImagingDatabase, Recipe
from crystal_search.server.settings import Settings, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every service works with."""

    home: Home
    settings: Settings
    imaging: ImagingDatabase

    @property
    def models(self) -> Path:
        """Folder of the models in use."""
        return models_folder(self.settings)


def models_folder(settings: Settings) -> Path:
    """Return the folder of the models in use."""
    return Path(settings.models) if settings.models else default_models_folder()


def recipe_of(settings: Settings) -> Recipe:
    """Return what new scores are made with.

    Raises
    ------
    ModelError
        If the folder does not hold one classifier and one drop locator.
    """
    folder = models_folder(settings)
    classifier, drop = default_model("classifier", folder).card, default_model("drop_locator", folder).card
    return Recipe(
        classifier_name=classifier.name,
        classifier_sha256=classifier.sha256,
        drop_sha256=drop.sha256,
        threshold=settings.threshold,
    )


@contextmanager
def opened(path: Path | None, *, create: bool = True) -> Iterator[Installation]:
    """Open the installation at `path` (default: the usual place) and close its database at the end.

    Raises
    ------
    UserError
        If there is none and none is to be created.
    """
    from crystal_search.server.sql_imaging import open_imaging

    home = Home.at(path) if create else Home.at(path).found()
    settings = read_settings(home.settings)
    home.made()
    imaging = open_imaging(settings.url(home))
    try:
        yield Installation(home=home, settings=settings, imaging=imaging)
    finally:
        imaging.close()


def add_home_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that every service has."""
    parser.add_argument("--home", type=Path, help="the installation's folder (default: crystal-search-data)")


def say(text: str) -> None:
    """Tell the person at the keyboard."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
