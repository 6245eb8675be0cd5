"""``python -m tests.kill_driver COMMAND...``: the command line, with shorter rests between two tries.

What is put off for half a day is tried again within seconds, so that a test sees how it ends.
"""

import sys
from types import ModuleType
from typing import Any

from crystal_search.main import main
from crystal_search.server.services import packing, postponing, watch

SHORT: dict[str, Any] = {
    "DELAYS_S": (0.5, 1.0, 1.0, 2.0),
    "SHARE_S": 1.0,
    "VERDICT_S": 4.0,
    "REST_S": 1.0,
}


def shorten(*modules: ModuleType) -> None:
    """Have modules use the short rests."""
    for module in modules:
        for name in SHORT.keys() & vars(module).keys():
            setattr(module, name, SHORT[name])


if __name__ == "__main__":
    shorten(packing, postponing, watch)
    sys.exit(main(sys.argv[1:]))
