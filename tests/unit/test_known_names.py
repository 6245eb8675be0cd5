"""Names that must be one of those there are."""

import ast
from pathlib import Path

import pytest

import crystal_search
from crystal_search.errors import UnknownNameError
from crystal_search.known_names import LONGEST, among, check_among, unknown_name

PACKAGE = Path(crystal_search.__file__).parent
#: Modules with a message of their own: there what was given is no single name, or more than names can be chosen from.
OF_THEIR_OWN = {"archives/label_names.py", "archives/vmxi.py", "class_schemes.py", "columns.py"}
OF_THEIR_OWN |= {"known_names.py", "named_models.py", "viewer/schemas.py"}
LOOKED_UP = {"b": 1, "a": 2}


def test_what_is_registered_is_found() -> None:
    assert among(LOOKED_UP, "a", "letter") == 2
    check_among(iter(LOOKED_UP), "a", "letter")


def test_what_is_not_is_told_with_what_there_is_in_its_order() -> None:
    with pytest.raises(UnknownNameError, match=r"^no letter 'c' of ours; choose from b, a$"):
        among(LOOKED_UP, "c", "letter", which="of ours")
    with pytest.raises(UnknownNameError, match=r"^x\.toml: no letter ''; choose from b, a$"):
        check_among(iter(LOOKED_UP), "", "letter", where="x.toml")
    assert str(unknown_name([], "c", "letter")) == "no letter 'c'; there are none"


def test_a_name_that_is_cut_is_told_to_be() -> None:
    assert str(unknown_name(["a"], "x" * LONGEST, "letter")) == f"no letter '{'x' * LONGEST}'; choose from a"
    assert str(unknown_name(["a"], "x" * 10**6, "letter")) == f"no letter '{'x' * LONGEST}'...; choose from a"


def test_unknown_names_are_told_in_one_way() -> None:
    raising = set()
    for path in PACKAGE.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))
        if any(isinstance(called, ast.Name) and called.id == "UnknownNameError" for called in calls):
            raising.add(path.relative_to(PACKAGE).as_posix())
    assert raising == OF_THEIR_OWN
