import errno
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crystal_search import __version__
from crystal_search.commands import AMONG_FILES, COMMANDS, HEADINGS, chosen, parsed, parser_for
from crystal_search.main import main


@pytest.mark.parametrize("command", [*COMMANDS, *AMONG_FILES])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"crystal-search {command}" in capsys.readouterr().out
    parser = parser_for(command)
    for each in (parser, *parser.commands.values()):
        assert not each.description or each.description[0].isupper(), each.prog


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs_itself_or_each_of_its_own_commands_does(command: str) -> None:
    parser = parser_for(command)
    assert parser.prog == f"crystal-search {command}"
    inner = [] if parser.get_default("run") else [*parser.commands.values()]
    assert all(callable(each.get_default("run")) for each in inner or [parser])


@pytest.mark.parametrize("command", AMONG_FILES)
def test_a_file_called_as_a_second_word_can_still_be_named(command: str) -> None:
    first, second = command.split()
    assert chosen([first, second]) == (command, [])
    assert chosen([first, f"./{second}"]) == (first, [f"./{second}"])
    assert chosen([first, "--", second]) == (first, ["--", second])
    assert f"crystal-search {command}: " in parser_for(first).format_help()
    assert callable(importlib.import_module(f"crystal_search.{AMONG_FILES[command][0]}").run)


def test_no_command_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert main(["--help"]) == 0
    assert "set-autoscore" in capsys.readouterr().out


def test_commands_stand_below_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for heading, commands in HEADINGS.items():
        start = lines.index(f"{heading}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(commands)]] == list(commands)
    assert len(COMMANDS) == sum(len(commands) for commands in HEADINGS.values())


def test_an_unknown_command_is_told_with_the_one_meant_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scroe"]) == 2
    told = capsys.readouterr().err
    assert told == "no command 'scroe'; did you mean score? crystal-search --help lists all\n"


def test_an_unknown_command_lists_the_known_where_none_is_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyz"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("no command 'xyz'\n")
    assert "set-autoscore" in told


def test_without_the_training_libraries_all_help_is_there_and_the_extra_is_named(tmp_path: Path) -> None:
    code = """
import contextlib, io, sys
from crystal_search.main import COMMANDS, TRAINING_LIBRARIES, main
sys.modules.update(dict.fromkeys(TRAINING_LIBRARIES))
for words in [*([name] for name in COMMANDS), ["train", "chops"], ["dataset", "render"]]:
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        main([*words, "--help"])
    print(told.getvalue().partition("\\n")[0])
for words in ["train drops --data x", "dataset render", "render wells --out", "evaluate --demo-plate --out"]:
    main([*words.split(), *(["--out"] if words.startswith("train") else []), "out"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert all(line.startswith("usage: crystal-search ") for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == len(COMMANDS) + 2
    commands = ("train", "dataset", "render", "evaluate")
    expected = [f"crystal-search {each} needs torch: pip install 'crystal-search[train]'" for each in commands]
    assert done.stderr.splitlines() == expected
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score", "a.jpg", "--cvs", "out.csv"], "no option --cvs; did you mean --csv?"),
        (["score", "a.jpg", "--csv", "out.csv", "--treshold=0.5"], "no option --treshold; did you mean --threshold?"),
        (["models", "list", "--hom", "x"], "no option --hom; did you mean --home?"),
        (["status", "--qqq"], "no option --qqq\n"),
        (["models", "lits", "--hom"], "invalid choice: 'lits' (choose from"),
        (["evaluate", "--", "--uot"], "the following arguments are required: --out"),
    ],
)
def test_an_option_that_there_is_not_is_told_with_the_one_meant(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_options_of_a_command_and_of_its_command_are_known() -> None:
    assert parsed("models", ["--verbose", "list", "--home", "x"]).verbose


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


def test_the_page_has_every_command_below_its_heading() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    for heading, commands in HEADINGS.items():
        section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(commands)
