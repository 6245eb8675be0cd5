#!/usr/bin/env python3
"""Check the clients' results: ``crystal-search validate``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["validate", *sys.argv[1:]]))
