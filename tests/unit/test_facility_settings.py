"""What the settings say of a facility's database, and that its password goes nowhere."""

from pathlib import Path

import pytest
from hypothesis import given, strategies

from crystal_search.errors import ConfigError, UnknownNameError
from crystal_search.server.facility.facility_kinds import facility_kind, facility_name, open_facility
from crystal_search.server.facility.facility_settings import (
    FacilitySettings,
    password_of,
    read_facility_settings,
)
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.settings import read_settings

SECRET = "geheim!42"
WHOLE = """
workers = 2
[facility]
kind = "ispyb"
url = "mariadb://crystal@db.lab/ispyb"
password_file = "secrets/facility"
push = false
poll_seconds = 5
[facility.folders]
"/dls/mx" = "/mnt/mx"
[facility.schemas]
groups = "CrystalSearch"
"""


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_table_is_read_beside_the_other_settings(tmp_path: Path) -> None:
    path = settings_file(tmp_path, WHOLE)
    assert read_settings(path).workers == 2
    found = read_facility_settings(path)
    assert (found.kind, found.push, found.poll_seconds) == ("ispyb", False, 5)
    assert found.folders == {"/dls/mx": "/mnt/mx"}
    assert found.password_file == str(tmp_path / "secrets" / "facility")
    assert facility_name(found) == "ispyb db.lab/ispyb"


def test_without_the_table_there_is_no_facility(tmp_path: Path) -> None:
    for path in (settings_file(tmp_path, "workers = 2"), tmp_path / "no-such.toml"):
        assert read_facility_settings(path).kind == ""
    with pytest.raises(ConfigError, match=r"name no facility; write a table \[facility\] with kind"):
        open_facility(FacilitySettings())
    with pytest.raises(UnknownNameError, match=r"\[facility\]: no kind 'isbyp'; choose from ispyb, "):
        facility_kind(FacilitySettings(kind="isbyp", url="mariadb://host/ispyb"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("facility = 3", "facility must be a table"),
        ('[facility]\nkind = "ispyb"', "must say kind and url"),
        ('[facility]\nkind = "ispyb"\nurl = "x://h/d"\nfolder = "/a"', r"unknown key of \[facility\] folder; choose"),
        ('[facility]\nkind = "ispyb"\nurl = "x://h/d"\npoll_seconds = 0', "poll_seconds must be from 1"),
        ('[facility]\nkind = "ispyb"\nurl = "x://h/d"\npush = 1', "push must be like True"),
        ('[facility]\nkind = "ispyb"\nurl = "x://h/d"\n[facility.folders]\na = 3', r"\[facility.folders\] must give"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_facility_settings(settings_file(tmp_path, table))


@pytest.mark.parametrize(
    "line",
    [
        f'url = "mariadb://crystal:{SECRET}@db.lab/ispyb"',
        f'url = "mariadb://db.lab/ispyb?user=x&password={SECRET}"',
        f'url = "mariadb://db.lab/ispyb"\npassword = "{SECRET}"',
        f'url = ["mariadb://crystal:{SECRET}@db.lab/ispyb"]',
    ],
)
def test_a_password_among_the_settings_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = settings_file(tmp_path, f'[facility]\nkind = "ispyb"\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        read_facility_settings(path)
    assert SECRET not in str(caught.value)


def with_password_file(folder: Path, *, mode: int = 0o600, data: bytes = f"{SECRET}\n".encode()) -> FacilitySettings:
    path = folder / "password"
    path.write_bytes(data)
    path.chmod(mode)
    return FacilitySettings(kind="ispyb", url="mariadb://crystal@db.lab/ispyb", password_file=str(path))


def test_the_password_comes_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert password_of(with_password_file(tmp_path)) == SECRET
    by_variable = FacilitySettings(kind="ispyb", url="x://h/d", password_variable="CRYSTAL_TEST_SECRET")
    with pytest.raises(ConfigError, match="there is no CRYSTAL_TEST_SECRET here"):
        password_of(by_variable)
    monkeypatch.setenv("CRYSTAL_TEST_SECRET", SECRET)
    assert password_of(by_variable) == SECRET
    assert password_of(FacilitySettings(kind="ispyb", url="x://h/d")) == ""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match=r"others must not read it: chmod 0600") as caught:
        password_of(with_password_file(tmp_path, mode=mode))
    assert SECRET not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = with_password_file(tmp_path, data=b"\xff\xfe" + SECRET.encode())
    with pytest.raises(ConfigError, match="it is no UTF-8 text") as caught:
        password_of(settings)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        password_of(settings)


NAMES = strategies.text(strategies.characters(exclude_characters="/\\\0", categories=["L", "N", "P", "Z"]), min_size=1)
PATHS = strategies.lists(NAMES, min_size=1, max_size=4)


@given(parts=PATHS, top=PATHS, windows=strategies.booleans())
def test_a_path_goes_to_the_other_side_and_back(parts: list[str], top: list[str], windows: bool) -> None:
    sign = "\\" if windows else "/"
    theirs, ours = sign * (1 + windows) + sign.join(top), "/mnt/share"
    path = theirs + sign + sign.join(parts)
    mapping = FolderMapping({theirs: ours})
    assert mapping.here(path) == "/".join([ours, *parts])
    assert mapping.there(mapping.here(path)) == path


def test_the_longest_folder_counts_and_only_whole_names() -> None:
    mapping = FolderMapping({"/a": "/x", "/a/b/": "/y", "/c": "/"})
    assert mapping.here("/a/b/c.jpg") == "/y/c.jpg"
    assert mapping.here("/a/bc.jpg") == "/x/bc.jpg"
    assert mapping.here("/ab/c.jpg") == "/ab/c.jpg"
    assert mapping.here("/c/d.jpg") == "/d.jpg"
    assert mapping.there("/y/c.jpg") == "/a/b/c.jpg"
