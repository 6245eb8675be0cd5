"""The password of a facility's database is nowhere but in the connection, whatever kind it is and whatever fails."""

import logging
import os
from pathlib import Path

import pytest

from crystal_search.errors import DatabaseError
from crystal_search.main import main
from crystal_search.server.facility.facility_kinds import FACILITIES, open_facility
from crystal_search.server.facility.facility_settings import FacilitySettings, read_facility_settings
from crystal_search.server.home import Home
from crystal_search.server.services.facility_rounds import FacilityRounds
from tests.service_site import site_at

SECRET = "geheim-%40/42"
NOBODY = "127.0.0.1:9"  #: where no server is
URLS = {
    "ispyb": f"mariadb://crystal@{NOBODY}/ispyb",
    "xtaltrak": f"oracle://crystal@{NOBODY}/?service_name=XTAL",
    "rockmaker": f"mssql://crystal@{NOBODY}/RockMaker",
}


def test_every_kind_is_tested() -> None:
    assert URLS.keys() == FACILITIES.keys()


def settings_of(kind: str, folder: Path) -> FacilitySettings:
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    lines = [
        "[facility]",
        f'kind = "{kind}"',
        f'url = "{URLS[kind]}"',
        "timeout_seconds = 2",
        'password_file = "secret"',
    ]
    (folder / "settings.toml").write_text("\n".join(lines))
    return read_facility_settings(folder / "settings.toml")


@pytest.mark.parametrize("kind", sorted(URLS))
@pytest.mark.parametrize("command", ["check", "pull", "report"])
def test_no_command_says_it_when_the_database_is_away(
    kind: str, command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings_of(kind, Home(tmp_path).made().path)
    assert main(["facility", "--verbose", command, "--home", str(tmp_path)]) == (0 if command == "report" else 1)
    told = capfd.readouterr()
    assert SECRET not in told.out + told.err + caplog.text
    assert told.out + told.err


@pytest.mark.parametrize("kind", sorted(URLS))
def test_no_error_object_or_file_holds_it(kind: str, tmp_path: Path) -> None:
    settings = settings_of(kind, tmp_path)
    facility = open_facility(settings)
    with pytest.raises(DatabaseError) as caught:
        facility.pull("", limit=10)
    error: BaseException | None = caught.value
    seen = []
    while error is not None:
        seen += [str(error), repr(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert SECRET not in "".join([*seen, repr(facility), str(vars(facility)), repr(settings)])
    rounds = FacilityRounds(site_at(tmp_path / "site"), settings)
    rounds.look()
    rounds.wait()
    assert rounds.look()
    assert SECRET not in rounds.look()
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "secret"]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


def test_the_list_of_processes_does_not_show_it(tmp_path: Path) -> None:
    open_facility(settings_of("ispyb", tmp_path))
    assert SECRET.encode() not in Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
    assert SECRET not in "".join(os.environ.values())
