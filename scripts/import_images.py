#!/usr/bin/env python3
"""Bring a robot's folder into the imaging database: ``crystal-search import``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["import", *sys.argv[1:]]))
