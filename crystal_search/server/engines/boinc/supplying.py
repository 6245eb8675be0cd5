"""Bringing programs and models to volunteers: a version is staged, signed, and live, or it is said what remains."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from crystal_search.errors import EngineError, UserError
from crystal_search.model import Model
from crystal_search.model_card import ModelCard
from crystal_search.server.engines.boinc.app_versions import AppVersion, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.ownership import check_owner
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.staging import Program, program_at, program_of, stage
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings

UPDATE = ("update_versions", "--noconfirm")  #: without a terminal it adds nothing unless it is told not to ask


class Versions(Protocol):
    """What is asked of the server's database."""

    def versions(self) -> list[AppVersion]:
        """Return the versions that volunteers get."""

    def highest_version(self) -> int:
        """Return the highest number of a version that the server knows, 0 when it knows none."""


def supply_models(home: Home, settings: Settings, models: Sequence[Model[ModelCard]], *, update: bool) -> list[str]:
    """Have volunteers get these models with the programs that they get; return what was done, a sentence each.

    Where no program is live, nothing is done: the first that is staged brings the models that are in use then.

    Raises
    ------
    ConfigError
        If the project works for another home.
    UserError
        If they are staged, and live only when somebody has signed them.
    EngineError
        If they do not come to be live.
    """
    project = read_project(Path(settings.boinc_project))
    check_owner(project, home)
    server = BoincDatabase(project)
    if not (live := server.versions()):
        return ["no version of the program is live; work units wait for crystal-search boinc stage PROGRAM"]
    if not _lacking(live, models):
        return [f"{each} brings it" for each in live]
    lines = supply(project, server, models, update=update)
    if _lacking(server.versions(), models):
        raise UserError(f"{'; '.join(lines)}; then put the model to use again, which it is not yet")
    return lines


def supply(
    project: Project,
    server: Versions,
    models: Iterable[Model[ModelCard]],
    programs: Sequence[Path] = (),
    *,
    number: int | None = None,
    update: bool = True,
) -> list[str]:
    """Stage `programs` with `models`, and again each program that is live without them; have all of them live.

    Return what was done, and what remains to be done, a sentence each.

    Parameters
    ----------
    number
        Of the versions, hundreds and units; by default the next one.
    update
        Whether to run the project's ``update_versions``, which signs with the key that lies there.

    Raises
    ------
    UserError
        If there is no program to stage, or it cannot be read.
    EngineError
        If a version does not come to be live.
    """
    models = list(models)
    live = server.versions()
    wanted = _wanted(project, live, models, programs)
    staged = stage(project, wanted, models, number=number, live=live, highest=server.highest_version())
    if not update:
        rest = f"to have it live, sign its files where the key is, and cd {project.root} && bin/{' '.join(UPDATE)}"
        return [f"{each} is live" if each in live else f"{each} is staged; {rest}" for each in staged]
    said = project.run(*UPDATE) if staged else ""
    live = server.versions()
    if missing := [str(each) for each in staged if each not in live]:
        raise EngineError(
            f"{', '.join(missing)} is staged, but not live; bin/{' '.join(UPDATE)} said: {said[-1000:] or 'nothing'}"
        )
    return [f"{each} is live" for each in live]


def _wanted(
    project: Project, live: Sequence[AppVersion], models: Sequence[Model[ModelCard]], programs: Sequence[Path]
) -> list[Program]:
    if not live and not programs:
        raise UserError("no version of the program is live yet; name the PROGRAM that make freeze has made")
    given = {each.platform: each for each in map(program_at, programs)}
    again = [program_of(project, each) for each in _lacking(live, models) if each.platform not in given]
    return [*given.values(), *again]


def _lacking(live: Iterable[AppVersion], models: Iterable[Model[ModelCard]]) -> list[AppVersion]:
    """Return the versions that do not bring every one of the models."""
    names = frozenset[str]().union(*(VolunteersModel.of(model.card).file_names for model in models))
    return [each for each in live if not names <= each.files]
