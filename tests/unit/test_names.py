"""Names that can be told apart."""

from collections import Counter
from pathlib import Path

import crystal_search

PACKAGE = Path(crystal_search.__file__).parent
SHARED = ("__init__.py", "__main__.py")
ADDRESSES = (Path("server/boinc/checking.py"),)  # scripts in BOINC projects call it; the code lies elsewhere


def test_every_module_has_a_file_name_of_its_own() -> None:
    counts = Counter(path.name for path in PACKAGE.rglob("*.py") if path.name not in SHARED)
    assert {name: count for name, count in counts.items() if count > 1} == {}


def test_what_others_call_stays_where_it_is() -> None:
    assert all((PACKAGE / path).exists() for path in ADDRESSES)
