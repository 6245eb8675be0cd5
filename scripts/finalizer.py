#!/usr/bin/env python3
"""Write spooled results into a CSV file: ``crystal-search finalize``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["finalize", *sys.argv[1:]]))
