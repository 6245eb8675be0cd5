"""What docs/archives.md says of the kinds of archives is so."""

from pathlib import Path

import pytest

from crystal_search.archives.archive_kinds import ARCHIVES
from crystal_search.archives.image_table import COLUMNS
from crystal_search.archives.marco import CLASS_NUMBERS
from crystal_search.class_schemes import SCHEMES, class_labelled

TEXT = (Path(__file__).parents[2] / "docs" / "archives.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_kind_has_a_row_a_section_and_a_command(kind: str) -> None:
    assert f"\n| `{kind}` |" in TEXT
    assert f"\n## `{kind}`\n" in TEXT
    assert f" --from {kind} " in TEXT


@pytest.mark.parametrize("name", [*(f"`{column}`" for column in COLUMNS), *(f"`{scheme}`" for scheme in SCHEMES)])
def test_every_column_and_scheme_is_named(name: str) -> None:
    assert name in TEXT


def test_the_numbers_of_classes_are_those_that_are_read() -> None:
    assert ", ".join(f"{number} {name}" for number, name in CLASS_NUMBERS.items()) in TEXT
    scores = TEXT.split("The scores: ")[1].split(". If")[0].split(", ")
    for score in scores:
        number, name = score.split(" ", 1)
        assert class_labelled(number, SCHEMES["vmxi-10"]) is class_labelled(name, SCHEMES["vmxi-10"])
    assert len(scores) == len(SCHEMES["vmxi-10"].classes)
