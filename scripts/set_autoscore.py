#!/usr/bin/env python3
"""Put CSV files into the imaging database: ``crystal-search set-autoscore``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["set-autoscore", *sys.argv[1:]]))
