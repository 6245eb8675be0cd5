"""docs/services.md says what the program does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from crystal_search.commands import COMMANDS
from crystal_search.main import main
from crystal_search.server.services.score_csv import COLUMNS
from crystal_search.server.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "services.md").read_text()


@pytest.mark.parametrize("column", COLUMNS)
def test_every_csv_column_is_explained(column: str) -> None:
    assert f"`{column}`" in PAGE


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_explained_with_its_default(field: object) -> None:
    name, default = getattr(field, "name", ""), getattr(field, "default", "")
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    if isinstance(default, bool):
        assert f"| {str(default).lower()} |" in row
    elif isinstance(default, int | float):
        assert f"| {default:g} |" in row


def test_every_script_calls_a_command() -> None:
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        (command,) = re.findall(r'main\(\["([a-z-]+)"', script.read_text())
        assert command in COMMANDS
        assert f"`scripts/{script.name}`" in PAGE


@pytest.mark.parametrize("command", re.findall(r"^\| `crystal-search ([a-z-]+)", PAGE, re.MULTILINE))
def test_every_command_has_the_options_that_are_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    (row,) = re.findall(rf"^\| `crystal-search {command}([^|`]*)`", PAGE, re.MULTILINE)
    assert all(option in told for option in [*re.findall(r"--[a-z-]+", row), "--home"])
