"""One installation, opened: its home folder, settings and imaging database."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from crystal_search.model import IN_USE, default_models, default_models_folder, references
from crystal_search.server.engines.engine import Engine, EngineKind
from crystal_search.server.engines.engine_kinds import engine_kind
from crystal_search.server.home import Home
from crystal_search.server.imagers import Imagers
from crystal_search.server.imaging.imaging_database import ImagingDatabase, Recipe
from crystal_search.server.patience import Patience
from crystal_search.server.settings import Settings, read_settings, sqlite_url

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every service works with."""

    home: Home
    settings: Settings
    imaging: ImagingDatabase
    files: Patience = field(default_factory=Patience)  #: how the files of images are asked for
    is_snapshot: bool = False  #: whether the database is a copy of one that cannot be written

    @property
    def models(self) -> Path:
        """Folder of the models in use."""
        return models_folder(self.home, self.settings)

    @property
    def imagers(self) -> Imagers:
        """What tells which imager took an image."""
        return self.settings.imagers

    @property
    def engine(self) -> EngineKind:
        """What the engine in use declares of itself."""
        return engine_kind(self.settings)

    def started_engine(self) -> AbstractContextManager[Engine]:
        """Start the engine, to be closed at the end.

        Raises
        ------
        AnotherRunningError
            If another process has the engine.
        """
        return closing(self.engine.start(self.home, self.settings, self.models))


def models_folder(home: Home, settings: Settings) -> Path:
    """Return the folder of the models in use: the settings', else the home's once some were put to use, else ours."""
    if settings.models:
        return Path(settings.models)
    return home.models if (home.models / IN_USE).exists() else default_models_folder()


def model_folders(home: Home, settings: Settings) -> tuple[Path, ...]:
    """Return where models of an installation lie that can be called by their names, beside the package's own."""
    return (home.models, models_folder(home, settings))


def recipe_of(site: Installation) -> Recipe:
    """Return what new scores are made with.

    Raises
    ------
    ModelError
        If the folder of the models in use does not hold one for each role that is needed.
    """
    return Recipe(models=references(default_models(site.models)), threshold=site.settings.threshold)


def renewed(home: Home, make: Callable[[], Recipe]) -> Callable[[], Recipe]:
    """Return what tells the recipe, and makes it again only when other models were put to use: reading takes time."""

    @lru_cache(maxsize=1)
    def made(stamp: object) -> Recipe:
        return make()

    def recipe() -> Recipe:
        try:
            status = (home.models / IN_USE).stat()
        except FileNotFoundError:
            return made(None)
        return made((status.st_ino, status.st_mtime_ns))

    return recipe


@contextmanager
def opened(path: Path | None, *, create: bool = True) -> Iterator[Installation]:
    """Open the installation at `path` (default: the usual place) and close its database at the end.

    Who only looks, and creates nothing, is given a snapshot of one that cannot be written.

    Raises
    ------
    UserError
        If there is none and none is to be created, it cannot be written and is to be, or its settings cannot be used.
    """
    from crystal_search.server.imaging.sql_imaging import open_imaging
    from crystal_search.server.imaging.sqlite_snapshot import copied

    home = Home.at(path) if create else Home.at(path).found()
    settings = read_settings(home.settings)
    engine_kind(settings)
    is_snapshot = not (create or home.is_writable or settings.database_url)
    with ExitStack() as stack:
        if create or home.is_writable:
            home.made()
        if is_snapshot:
            log.warning("%s cannot be written: this is a snapshot of %s", home.path, f"{datetime.now():%H:%M}")
        url = sqlite_url(stack.enter_context(copied(home.database))) if is_snapshot else settings.url(home)
        imaging = stack.enter_context(closing(open_imaging(url)))
        yield Installation(home=home, settings=settings, imaging=imaging, is_snapshot=is_snapshot)


def add_home_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that every service has."""
    parser.add_argument("--home", type=Path, help="the installation's folder (default: crystal-search-data)")


def say(text: str) -> None:
    """Tell the person at the keyboard."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def agrees(question: str) -> bool:
    """Ask the person at the keyboard for yes or no; without a terminal the answer is no."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
