"""Versions of the volunteer's program in a BOINC project."""

import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from crystal_search.errors import UserError
from crystal_search.main import main
from crystal_search.model import default_model, default_models_folder, model_in_any
from crystal_search.model_card import ROLES
from crystal_search.server.engines.boinc.staging import stage
from tests.boinc_site import made_project

NAME = "crystal-search-client_0.1.0_x86_64-pc-linux-gnu"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(b"#!/bin/sh\n")
    return path


def test_a_version_holds_the_program_and_the_models_in_use(tmp_path: Path, program: Path) -> None:
    place = stage(made_project(tmp_path / "project"), program, default_models_folder())
    assert place.relative_to(tmp_path / "project") == Path("apps/crystal_search/0.01/x86_64-pc-linux-gnu")
    root = ET.parse(place / "version.xml").getroot()
    files = {each.findtext("physical_name"): each.findtext("logical_name") for each in root.findall("file")}
    assert set(files) == {path.name for path in place.iterdir()} - {"version.xml"}
    (main_file,) = [each for each in root.findall("file") if each.find("main_program") is not None]
    assert main_file.findtext("physical_name") == NAME
    assert (place / NAME).stat().st_mode & 0o111
    assert all(each.find("copy_file") is not None for each in root.findall("file"))
    assert root.findtext("api_version") == "7.5.0"


def test_in_a_slot_the_models_are_found_by_their_hashes(tmp_path: Path, program: Path) -> None:
    place = stage(made_project(tmp_path / "project"), program, default_models_folder())
    slot = tmp_path / "slot"
    slot.mkdir()
    for each in ET.parse(place / "version.xml").getroot().findall("file"):
        physical, logical = str(each.findtext("physical_name")), str(each.findtext("logical_name"))
        (slot / logical).write_bytes((place / physical).read_bytes())
    for kind in ROLES.values():
        sha256 = default_model(kind).card.sha256
        assert model_in_any([slot], sha256).card.sha256 == sha256


def test_versions_count_up_and_never_change(tmp_path: Path, program: Path) -> None:
    project = made_project(tmp_path / "project")
    numbers = [stage(project, program, default_models_folder()).parent.name for _ in range(2)]
    assert numbers == ["0.01", "0.02"]
    with pytest.raises(UserError, match="there already"):
        stage(project, program, default_models_folder(), number=2)
    assert stage(project, program, default_models_folder(), number=150).parent.name == "1.50"


def test_a_zip_of_a_frozen_folder_becomes_a_file_for_each_member(tmp_path: Path) -> None:
    program = tmp_path / "crystal-search-client_0.1.0_windows_x86_64.zip"
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("crystal-search-client.exe", b"MZ")
        archive.writestr("lib/a/init.pyc", b"one")
        archive.writestr("lib/b/init.pyc", b"two")
    place = stage(made_project(tmp_path / "project"), program, default_models_folder())
    assert place.name == "windows_x86_64"
    files = {
        each.findtext("logical_name"): (str(each.findtext("physical_name")), each.find("main_program") is not None)
        for each in ET.parse(place / "version.xml").getroot().findall("file")
    }
    assert (place / files["lib/a/init.pyc"][0]).read_bytes() == b"one"
    assert (place / files["lib/b/init.pyc"][0]).read_bytes() == b"two"
    assert [name for name, (_, main_program) in files.items() if main_program] == ["crystal-search-client.exe"]
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("readme", b"")
    with pytest.raises(UserError, match=r"holds no crystal-search-client\.exe"):
        stage(made_project(tmp_path / "other"), program, default_models_folder())


def test_what_is_no_frozen_client_is_refused(tmp_path: Path) -> None:
    (tmp_path / "client").touch()
    with pytest.raises(UserError, match="make freeze"):
        stage(made_project(tmp_path / "project"), tmp_path / "client", default_models_folder())


def test_the_command_tells_what_comes_next(tmp_path: Path, program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = made_project(tmp_path / "project")
    home = tmp_path / "home"
    home.mkdir()
    assert main(["boinc", "stage", str(program), "--home", str(home)]) == 2
    assert "boinc_project" in capsys.readouterr().err
    (home / "settings.toml").write_text(f'engine = "boinc"\nboinc_project = "{project.root}"\n')
    assert main(["boinc", "stage", str(program), "--home", str(home)]) == 0
    assert "bin/update_versions" in capsys.readouterr().out
