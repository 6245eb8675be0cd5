"""Laying versions of the application into a project: the frozen program and models, as files that never change.

Volunteers keep these files. Each is called by a digest of what is in it, so that a new version of the program brings
no model again, and a new model no program.
"""

import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search import __version__
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.model import Model, sha256_of
from crystal_search.model_card import ModelCard
from crystal_search.server.engines.boinc.app_versions import DIGEST_LENGTH, MODEL_PREFIXES, AppVersion, VolunteersModel
from crystal_search.server.engines.boinc.project import APP, Project
from crystal_search.whole_folders import whole_folder

PROGRAM_NAME = re.compile(
    r"crystal-search-client_(?P<version>[0-9][^_]*)_(?P<platform>[a-z0-9_-]+(?:__[A-Za-z0-9_-]+)?)(?:\.zip)?"
)
API_VERSION = "7.5.0"  #: of the messages between client and program that ours understands
MAIN_ON_WINDOWS = "crystal-search-client.exe"
DESCRIPTION = "version.xml"


@dataclass(frozen=True, slots=True)
class File:
    """A file of an application version."""

    source: Path | bytes  #: a file, or its content
    physical: str  #: what it is called on the server and on volunteers' disks, for ever
    logical: str  #: what it is called in a slot folder
    main: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """The frozen program for one platform and plan class."""

    platform: str  #: as BOINC's folders are called: PLATFORM, or PLATFORM__PLANCLASS
    files: tuple[File, ...]


def program_at(path: Path) -> Program:
    """Return the program in a file that ``make freeze`` has made, whose name tells version, platform and plan class.

    Raises
    ------
    UserError
        If it is not called like one, or cannot be read.
    """
    if not (found := PROGRAM_NAME.fullmatch(path.name)) or not path.is_file():
        raise UserError(f"{path} is no frozen client (crystal-search-client_VERSION_PLATFORM); see make freeze")
    return Program(found["platform"], tuple(_program_files(path)))


def _program_files(path: Path) -> list[File]:
    """Return the frozen program: one file that unpacks itself, or, for Windows, each file of a zip in its place."""
    try:
        if path.suffix != ".zip":
            return [File(path, f"{path.name}_{sha256_of(path.read_bytes())[:DIGEST_LENGTH]}", path.name, main=True)]
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}; freeze the client again") from error
    if MAIN_ON_WINDOWS not in members:
        raise UserError(f"{path} holds no {MAIN_ON_WINDOWS}; freeze the client again")
    return [
        File(
            content,
            f"{APP}_{sha256_of(content)[:DIGEST_LENGTH]}_{name.rpartition('/')[2]}",
            name,
            main=name == MAIN_ON_WINDOWS,
        )
        for name, content in members.items()
    ]


def program_of(project: Project, version: AppVersion) -> Program:
    """Return the program of a version that was staged before.

    Raises
    ------
    UserError
        If its files are no longer where they were staged.
    """
    folder = place_of(project, version.number, version.platform)
    try:
        told = ET.parse(folder / DESCRIPTION).getroot().findall("file")
    except (OSError, ET.ParseError) as error:
        raise UserError(f"the program of {version} cannot be staged again: {error}; name it as PROGRAM") from error
    files = (
        File(
            folder / str(each.findtext("physical_name")),
            str(each.findtext("physical_name")),
            str(each.findtext("logical_name")),
            main=each.find("main_program") is not None,
        )
        for each in told
    )
    return Program(version.platform, tuple(each for each in files if not each.physical.startswith(MODEL_PREFIXES)))


def model_files(models: Iterable[Model[ModelCard]]) -> list[File]:
    """Return the files of models, each once, with cards by which a client finds them in its slot."""
    files = {}
    for model in models:
        given = VolunteersModel.of(model.card)
        for file in (
            File(model.onnx, given.onnx_name, given.card.file),
            File(given.text.encode(), given.card_name, given.card_name.removeprefix(f"{APP}_")),
        ):
            files[file.physical] = file
    return list(files.values())


def stage(
    project: Project,
    programs: Sequence[Program],
    models: Iterable[Model[ModelCard]],
    *,
    number: int | None = None,
    live: Sequence[AppVersion] = (),
    highest: int = 0,
) -> list[AppVersion]:
    """Lay a version of each of the programs, with the models, into the project's ``apps`` folder and return them.

    Where the last version for a platform is the same in every file, and live or not known to the server, it is left as
    it is; one that the server knows and gives to nobody was withdrawn. All others get one number.

    Parameters
    ----------
    number
        Of the version, hundreds and units; by default the next one.
    live
        Versions that volunteers get.
    highest
        Highest number of a version that the server knows.

    Raises
    ------
    UserError
        If the version `number` is there, or a file of a program cannot be read.
    """
    brought, following, staged = model_files(models), _next_number(project, highest), []
    for program in programs:
        files = [*program.files, *brought]
        names = frozenset(file.physical for file in files)
        last = _last_staged(project, program.platform) if number is None else None
        if last is None or last.files != names or (last.number <= highest and last not in live):
            last = AppVersion(number=number or following, platform=program.platform, files=names)
            _lay(files, place_of(project, last.number, last.platform))
        staged.append(last)
    return staged


def place_of(project: Project, number: int, platform: str) -> Path:
    """Return where a version lies among the project's applications."""
    return project.root / "apps" / APP / f"{number / 100:.2f}" / platform


def _lay(files: Sequence[File], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(place) as folder:
        for file in files:
            target = folder / file.physical
            if isinstance(file.source, bytes):
                write_whole(target, file.source)
            else:
                shutil.copyfile(file.source, target)
            target.chmod(0o755 if file.main else 0o644)
        write_whole(folder / DESCRIPTION, version_xml(files))
    place.chmod(0o755)


def version_xml(files: Iterable[File]) -> str:
    """Return what ``update_versions`` reads: every file is copied into the slot folder."""
    root = ET.Element("version")
    for file in files:
        element = ET.SubElement(root, "file")
        ET.SubElement(element, "physical_name").text = file.physical
        ET.SubElement(element, "logical_name").text = file.logical
        ET.SubElement(element, "copy_file")
        if file.main:
            ET.SubElement(element, "main_program")
    ET.SubElement(root, "api_version").text = API_VERSION
    ET.indent(root, "    ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _staged(project: Project, platform: str = "*") -> dict[int, Path]:
    """Return the folders of the versions that were staged, for one platform or any, by their numbers."""
    folders = (project.root / "apps" / APP).glob(f"*/{platform}")
    return {
        int(folder.parent.name.replace(".", "")): folder
        for folder in folders
        if re.fullmatch(r"[0-9]+\.[0-9]{2}", folder.parent.name)
    }


def _last_staged(project: Project, platform: str) -> AppVersion | None:
    if not (folders := _staged(project, platform)):
        return None
    number = max(folders)
    names = (path.name for path in folders[number].iterdir() if path.suffix != ".sig" and path.name != DESCRIPTION)
    return AppVersion(number=number, platform=platform, files=frozenset(names))


def _next_number(project: Project, highest: int) -> int:
    """Return a number above those of all versions that are there: ours, times a hundred, and then one by one."""
    major, minor, *_ = (int(part) for part in re.findall("[0-9]+", __version__))
    return max(100 * major + minor, *(each + 1 for each in (highest, *_staged(project))))
