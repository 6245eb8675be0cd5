#!/usr/bin/env python3
"""Have work units scored by clients on this machine: ``crystal-search work``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["work", *sys.argv[1:]]))
