"""The page that tells newcomers which file to open names files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "crystal_search"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the text below a heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_room_and_noun_is_on_the_page() -> None:
    told = set(re.findall(r"[a-z_]+", section("Rooms")))
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    nouns = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert rooms | nouns <= told


@pytest.mark.parametrize(("title", "least"), [("Rooms", 9), ("Five ways through the house", 40)])
def test_every_file_that_is_named_is_there(title: str, least: int) -> None:
    named = re.findall(r"`([a-z_0-9/]+\.py)`", section(title))
    assert len(named) >= least
    names = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    missing = [each for each in named if not any(f"/{name}".endswith(f"/{each}") for name in names)]
    assert not missing


def test_every_question_has_a_file() -> None:
    answers = re.findall(r"^\| .* \| `([^`]+)` \|$", section("Which file to open"), re.MULTILINE)
    assert len(answers) >= 15
    assert [each for each in answers if not (PACKAGE / each).is_file()] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    told = [re.match(r"# (\d+)\. ", page.read_text(encoding="utf-8")) for page in pages]
    assert [int(found[1]) for found in told if found] == [int(page.name[:4]) for page in pages]
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
