"""``crystal-search facility``: the commands of every facility, and ``demo``, which plays one.

They stand in `server.services.facility_command` and `demo.played_facility`; the server knows nothing of the demo,
so that they are joined here.
"""

import argparse

from crystal_search.demo import played_facility
from crystal_search.server.services import facility_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands: those of every facility, and the played one."""
    commands = facility_command.add_commands(parser)
    played_facility.add_demo(commands)
