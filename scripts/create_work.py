#!/usr/bin/env python3
"""Pack unscored images into work units: ``crystal-search create-work``, see docs/services.md."""

import sys

from crystal_search.main import main

if __name__ == "__main__":
    sys.exit(main(["create-work", *sys.argv[1:]]))
