"""Rounds of kills and faults: each on a new installation, until so many processes were killed, and then to the end."""

import json
import logging
import os
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.files import write_whole
from crystal_search.processes import pool_of
from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.unit_states import State, names_in
from tests.killing.databases import Server, Sqlite, database_server
from tests.killing.disks import small_disk
from tests.killing.faults import KINDS, Event, plan
from tests.killing.robot import Act, Robot
from tests.killing.scene import Scene
from tests.killing.services import Services
from tests.killing.verdict import End, Verdict

log = logging.getLogger(__name__)

LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")
KILLS_A_ROUND = 60
KILLS_BEFORE, KILLS_A_RESULT = 4, 2  #: processes that may be killed before the first result, and for each
WORK_S = 30.0  #: to wait for a result
PICTURES = 24  #: that lie there when a round begins
TICK_S = 0.02
LOOK_S = 0.5  #: between two looks whether all is done
QUIET = 2  #: looks in a row that find nothing left to do
PATIENCE_S = 300.0  #: for what is left to do when faults have ended
SETTINGS = """\
workers = 2
images_per_unit = 4
attempts = 3
seconds_per_image = 20
database_url = {url}
"""


@dataclass(slots=True)
class Outcome:
    """What rounds over one kind of database did and found."""

    database: str
    rounds: int = 0
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)  #: processes, by what they were
    happened: Counter[str] = field(default_factory=Counter)  #: events, by kind
    counts: Counter[str] = field(default_factory=Counter)  #: images and scores
    ended: Counter[str] = field(default_factory=Counter)  #: services that ended with an error by themselves
    faults: Counter[str] = field(default_factory=Counter)  #: exceptions that services wrote down
    wrong: Verdict = field(default_factory=Verdict)
    broke: str = ""  #: how the test itself came to grief, in an installation that is not counted here

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(self.killed.values())


class Acts:
    """What goes on at the moment."""

    def __init__(self) -> None:
        self._due: list[tuple[float, Act]] = []

    def begin(self, act: Act) -> None:
        """Begin an act."""
        self._go_on(act)

    def go_on(self) -> None:
        """Go on with the acts whose rest is over."""
        now = time.monotonic()
        due = [act for at, act in self._due if at <= now]
        self._due = [(at, act) for at, act in self._due if at > now]
        for act in due:
            self._go_on(act)

    @property
    def ended(self) -> bool:
        """Whether nothing goes on any more."""
        return not self._due

    def _go_on(self, act: Act) -> None:
        rest = next(act, None)
        if rest is not None:
            self._due.append((time.monotonic() + rest, act))


def campaigns(
    databases: Sequence[str], folder: Path, *, kills: int, seed: int
) -> Iterator[tuple[str, Outcome | BaseException]]:
    """Share the kills among databases, each in a process of its own, since much of the time is spent waiting.

    What comes of one does not depend on the others, nor does it get lost with them.
    """
    share = -(-kills // len(databases))
    with ExitStack() as stack:
        pools = {kind: stack.enter_context(pool_of(1, begin_log, (LOG_LEVEL,))) for kind in databases}
        futures = {kind: pool.submit(campaign, kind, folder, kills=share, seed=seed) for kind, pool in pools.items()}
        for kind, future in futures.items():
            yield kind, future.exception() or future.result()


def begin_log(level: str) -> None:
    """Have a process say what it does."""
    logging.basicConfig(level=level, format="%(asctime)s %(message)s")


def campaign(kind: str, folder: Path, *, kills: int, seed: int) -> Outcome:
    """Kill so many processes in rounds over one kind of database, and return what became of it.

    Raises
    ------
    MissingError
        If there is no such database server here.
    """
    outcome, began = Outcome(kind), time.monotonic()
    with database_server(kind) as server:
        while outcome.kills < kills and not outcome.wrong.all() and not outcome.broke:
            outcome.rounds += 1
            try:
                one_round(server, folder / f"{kind}-{outcome.rounds}", outcome, kills=kills, seed=seed)
            except Exception:
                outcome.rounds -= 1
                outcome.broke = traceback.format_exc()
            outcome.seconds = time.monotonic() - began
            log.info("%s: %d killed in %d rounds, %.0f s", kind, outcome.kills, outcome.rounds, outcome.seconds)
    return outcome


def one_round(server: Sqlite | Server, folder: Path, outcome: Outcome, *, kills: int, seed: int) -> None:
    """Run one installation through faults, then to its end; add what happened to `outcome`."""
    folder.mkdir(parents=True)
    with small_disk(folder / "home") as with_disk:
        home = Home(folder / "home").made()
        url = server.database(home.path, f"round_{outcome.rounds}")
        write_whole(home.settings, SETTINGS.format(url=json.dumps(url)))
        robot = Robot(folder / "robot")
        services = Services(home.path, robot.folder, one_by_one=outcome.rounds % 2 == 0)
        scene = Scene(home, url, robot, services, server)
        with closing(services):
            events = plan(f"{seed} {outcome.database} {outcome.rounds}", with_disk=with_disk)
            least = sum(with_disk or not kind.needs_disk for kind in KINDS.values())
            outcome.happened += trouble(scene, events, least=least, kills=min(kills - outcome.kills, KILLS_A_ROUND))
            come_to_an_end(scene)
        _add(outcome, scene)
    if not outcome.wrong.all():
        shutil.rmtree(folder / "robot")
        shutil.rmtree(folder / "home")


def trouble(scene: Scene, events: Iterator[Event], *, least: int, kills: int) -> Counter[str]:
    """Have at least so many things happen, until so many processes were killed; return what happened."""
    acts, happened = Acts(), Counter[str]()
    acts.begin(scene.robot.copied(PICTURES))
    while happened.total() < least or scene.services.killed.total() < kills:
        event = next(events)
        _wait(scene, acts, event.after_s)
        if KINDS[event.kind].kills:
            _let_work(scene, acts)
        acts.begin(KINDS[event.kind].act(scene, event))
        happened[event.kind] += 1
    while not acts.ended:
        _wait(scene, acts, TICK_S)
    return happened


def _let_work(scene: Scene, acts: Acts) -> None:
    """Wait for results, so that work goes on between kills also on a busy machine."""
    deadline = time.monotonic() + WORK_S
    while time.monotonic() < deadline:
        results = len(names_in(scene.home, State.ARCHIVED))
        if scene.services.killed.total() < KILLS_BEFORE + KILLS_A_RESULT * results:
            return
        _wait(scene, acts, 10 * TICK_S)


def _wait(scene: Scene, acts: Acts, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        scene.services.look_after()
        acts.go_on()
        if time.monotonic() >= until:
            return
        time.sleep(TICK_S)


def come_to_an_end(scene: Scene) -> None:
    """Let the services do what is left to do, as long as our patience lasts."""
    deadline, quiet = time.monotonic() + PATIENCE_S, 0
    with closing(open_imaging(scene.url)) as imaging:
        end = End(scene.home, imaging, scene.robot)
        while quiet < QUIET and time.monotonic() < deadline:
            _wait(scene, Acts(), LOOK_S)
            left = end.unfinished()
            quiet = 0 if left else quiet + 1
            log.debug("%d things are left to do: %s", len(left), left[:1])


def _add(outcome: Outcome, scene: Scene) -> None:
    with closing(open_imaging(scene.url)) as imaging:
        end = End(scene.home, imaging, scene.robot)
        outcome.wrong += end.verdict()
        outcome.counts += end.counts()
    outcome.killed += scene.services.killed
    outcome.ended += scene.services.ended
    outcome.faults += scene.services.faults()
