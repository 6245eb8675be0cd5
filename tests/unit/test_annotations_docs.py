"""What docs/annotations.md says of formats and options is so."""

import re
from pathlib import Path

import pytest

from crystal_search.annotations.format_kinds import BY_FILE, FORMATS
from crystal_search.commands import parser_for

TEXT = (Path(__file__).parents[2] / "docs" / "annotations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_row(name: str) -> None:
    assert f"\n| `{name}` |" in TEXT
    assert (FORMATS[name].read is None) == ("only written" in TEXT.split(f"| `{name}` |")[1].split("\n")[0])


@pytest.mark.parametrize("file", BY_FILE)
def test_files_by_which_a_format_is_known_are_named(file: str) -> None:
    assert f"`{file}`" in TEXT


def test_every_option_that_is_named_is_one() -> None:
    commands = parser_for("annotations").commands
    options = {option for each in commands.values() for option in each.options}
    assert set(re.findall(r"--[a-z][a-z-]+", TEXT)) <= options
    for line in re.findall(r"^crystal-search annotations (.+)$", TEXT, re.MULTILINE):
        command, *words = line.split()
        assert {word for word in words if word.startswith("--")} <= commands[command].options.keys()
        commands[command].parse_args(words)
