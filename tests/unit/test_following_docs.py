"""What `make boinc-docs` does with a page's blocks, and that no block of the page is passed over in silence."""

import shlex
from pathlib import Path

import pytest

from tests.following_docs import Block, blocks

PAGE = Path(__file__).parents[2] / "docs" / "boinc.md"


def test_blocks_are_said_written_skipped_or_read() -> None:
    page = (
        "```sh root\nls\n```\nwords\n```ini ada /etc/x.cnf\na = 1\n```\n"
        "```sh skip: no such thing here\nboil\n```\n```text\nsaid\n```\n"
    )
    assert blocks(page) == [
        Block("ls\n", user="root"),
        Block("a = 1\n", user="ada", file="/etc/x.cnf"),
        Block("boil\n", skipped="no such thing here"),
        Block("said\n"),
    ]


@pytest.mark.parametrize("fence", ["sh", "", "ini root", "sh root /etc/x.cnf"])
def test_a_block_that_does_not_say_what_is_to_be_done_is_refused(fence: str) -> None:
    with pytest.raises(ValueError, match="what is to be done"):
        blocks(f"```{fence}\nls\n```\n")


def test_every_block_of_the_page_is_followed_or_says_why_not() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = blocks(text)
    assert 2 * len(found) == text.count("\n```")
    assert len([block for block in found if block.user]) >= 15
    for block in found:
        if block.user and not block.file:
            assert shlex.split(block.text, comments=True)
