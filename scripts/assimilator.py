#!/usr/bin/env python3
"""Take valid results over into the spool: ``crystal-search assimilate``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["assimilate", *sys.argv[1:]]))
