"""``python -m crystal_search.client``: the volunteer's program."""

import sys

from crystal_search.client.program import main

if __name__ == "__main__":
    sys.exit(main())
