"""``python -m crystal_search.server.boinc.checking``: what the scripts of installed BOINC projects call."""

import sys

from crystal_search.server.engines.boinc.checking import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
