#!/usr/bin/env python3
"""Serve the plate viewer: ``crystal-search view``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["view", *sys.argv[1:]]))
