"""Making a version of the application: the frozen program and the models in use, as files that never change.

Volunteers keep these files. A model is called by its own name and a digest, so that a new version of the program brings
no model again, and a new model no program.
"""

import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from pathlib import Path

from crystal_search import __version__
from crystal_search.errors import UserError
from crystal_search.files import whole_folder, write_whole
from crystal_search.model import CARD_SUFFIX, Model, default_models, sha256_of
from crystal_search.model_card import ModelCard, card_to_json
from crystal_search.server.engines.boinc.project import APP, Project

PROGRAM_NAME = re.compile(r"crystal-search-client_(?P<version>[0-9][^_]*)_(?P<platform>[a-z0-9_-]+)(?:\.zip)?")
API_VERSION = "7.5.0"  #: of the messages between client and program that ours understands
DIGEST_LENGTH = 12
MAIN_ON_WINDOWS = "crystal-search-client.exe"


@dataclass(frozen=True, slots=True)
class File:
    """A file of an application version."""

    source: Path | bytes  #: a file, or its content
    physical: str  #: what it is called on the server and on volunteers' disks, for ever
    logical: str  #: what it is called in a slot folder
    main: bool = False


def stage(project: Project, program: Path, models: Path, *, number: int | None = None) -> Path:
    """Lay an application version into the project's ``apps`` folder and return its place.

    Parameters
    ----------
    program
        The frozen program; its name tells version and platform.
    models
        Folder of the models in use.
    number
        Of the version, hundreds and units; by default the next one.

    Raises
    ------
    UserError
        If the program is not called like one or cannot be read, or that version is there.
    ModelError
        If the folder does not hold one classifier and one drop locator to use.
    """
    if not (found := PROGRAM_NAME.fullmatch(program.name)) or not program.is_file():
        raise UserError(f"{program} is no frozen client (crystal-search-client_VERSION_PLATFORM); see make freeze")
    files = version_files(program, models)
    version = _next_version(project, found["platform"]) if number is None else f"{number / 100:.2f}"
    place = project.root / "apps" / APP / version / found["platform"]
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(place) as folder:
        for file in files:
            if isinstance(file.source, bytes):
                write_whole(folder / file.physical, file.source)
            else:
                shutil.copyfile(file.source, folder / file.physical)
            (folder / file.physical).chmod(0o755 if file.main else 0o644)
        write_whole(folder / "version.xml", version_xml(files))
    place.chmod(0o755)
    return place


def version_files(program: Path, models: Path) -> list[File]:
    """Return the files of an application version: the frozen program, and the models in use with their cards."""
    files = _program_files(program)
    for model in default_models(models):
        files += _model_files(model, models)
    return files


def _program_files(program: Path) -> list[File]:
    """Return the frozen program: one file that unpacks itself, or, for Windows, each file of a zip in its place."""
    if program.suffix != ".zip":
        return [File(program, program.name, program.name, main=True)]
    try:
        with zipfile.ZipFile(program) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{program} cannot be read: {error}; freeze the client again") from error
    if MAIN_ON_WINDOWS not in members:
        raise UserError(f"{program} holds no {MAIN_ON_WINDOWS}; freeze the client again")
    return [
        File(
            content,
            f"{APP}_{sha256_of(content)[:DIGEST_LENGTH]}_{name.rpartition('/')[2]}",
            name,
            main=name == MAIN_ON_WINDOWS,
        )
        for name, content in members.items()
    ]


def _model_files(model: Model[ModelCard], folder: Path) -> list[File]:
    card, digest = model.card, model.card.sha256[:DIGEST_LENGTH]
    onnx = f"{APP}_{card.name}_{digest}.onnx"
    text = card_to_json(card)
    return [
        File(folder / card.file, onnx, card.file),
        File(text.encode(), f"{APP}_{card.name}_{digest}{CARD_SUFFIX}", f"{card.name}{CARD_SUFFIX}"),
    ]


def version_xml(files: list[File]) -> str:
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


def _next_version(project: Project, platform: str) -> str:
    """Return a number above those of all versions that are there: ours, times a hundred, and then one by one."""
    major, minor, *_ = (int(part) for part in re.findall("[0-9]+", __version__))
    number = 100 * major + minor
    there = [
        int(path.parent.name.replace(".", ""))
        for path in (project.root / "apps" / APP).glob(f"*/{platform}")
        if re.fullmatch(r"[0-9]+\.[0-9]{2}", path.parent.name)
    ]
    return f"{max([number, *(each + 1 for each in there)]) / 100:.2f}"
