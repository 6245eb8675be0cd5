"""Everything that a fault may happen to."""

from dataclasses import dataclass

from crystal_search.server.home import Home
from tests.killing.databases import Server, Sqlite
from tests.killing.robot import Robot
from tests.killing.services import Services


@dataclass(frozen=True, slots=True)
class Scene:
    """One installation under test."""

    home: Home
    url: str  #: of its imaging database
    robot: Robot
    services: Services
    database: Sqlite | Server
