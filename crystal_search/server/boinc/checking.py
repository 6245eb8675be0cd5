"""``python -m crystal_search.server.boinc.checking``: what the scripts of installed BOINC projects call.

What it does is in `engines.boinc.returned_results`; only the address stays here.
"""

import sys

from crystal_search.server.engines.boinc.returned_results import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
