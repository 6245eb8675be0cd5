"""Crystal Search scores crystallization well images on the computers a lab already owns.

From Python, as docs/python.md tells: `load`, `score`, `score_many`. Only using one of them imports anything more.

>>> import crystal_search as cs
>>> from crystal_search.demo.truth import plate_folder
>>> cs.score(plate_folder() / "demo_10D_1.jpg").outcome
'crystal_harvestable'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["ImageScore", "LoadedModels", "load", "score", "score_many"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.direct.python_interface"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
