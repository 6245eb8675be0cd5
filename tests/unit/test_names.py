"""Names that can be told apart."""

from collections import Counter
from pathlib import Path

import crystal_search

PACKAGE = Path(crystal_search.__file__).parent
SHARED = ("__init__.py", "__main__.py")
ADDRESSES = (Path("server/boinc/checking.py"),)  # scripts in BOINC projects call it; the code lies elsewhere


def test_every_module_has_a_file_name_of_its_own() -> None:
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")} - set(ADDRESSES)
    counts = Counter(path.name for path in modules if path.name not in SHARED)
    assert {name: count for name, count in counts.items() if count > 1} == {}
    assert all((PACKAGE / path).exists() for path in ADDRESSES)
