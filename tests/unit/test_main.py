import errno
import importlib

import pytest

from crystal_search import __version__
from crystal_search.main import COMMANDS, main, parser_for


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"crystal-search {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_module_with_run(command: str) -> None:
    assert callable(importlib.import_module(COMMANDS[command][0]).run)
    assert parser_for(command).prog == f"crystal-search {command}"


def test_no_command_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert main(["--help"]) == 0
    assert "set-autoscore" in capsys.readouterr().out


def test_an_unknown_command_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scroe"]) == 2
    assert "no command 'scroe'" in capsys.readouterr().err


def test_a_fault_of_the_system_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "/", "--home", "/proc/no/home"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_full_disk_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("crystal_search.server.health.status.run", full)
    assert main(["status"]) == 1
    said = "crystal-search status: the system: No space left on device; make room on the disk, then try again"
    assert capsys.readouterr().err.splitlines() == [said]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out
