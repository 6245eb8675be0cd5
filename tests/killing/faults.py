"""What happens to an installation, and when: a plan that follows from a seed alone."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.killing.disks import full
from tests.killing.robot import Act
from tests.killing.scene import Scene
from tests.killing.services import unit_of

WAIT_S = 5.0  #: for a client to kill
ROW = 3  #: clients killed in a row
STOPPED = 5  #: times as long as other events


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens."""

    after_s: float  #: since the one before
    kind: str  #: a name in KINDS
    where: float  #: which of the things that it may happen to, in [0, 1)
    long_s: float  #: how long it lasts


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event."""

    weight: int  #: how often it is drawn
    act: Callable[[Scene, Event], Act]
    needs_disk: bool = False
    kills: bool = False


def plan(seed: str, *, with_disk: bool) -> Iterator[Event]:
    """Yield what happens, without end; the first events are one of each kind, in the order of KINDS."""
    moments = random.Random(seed)
    kinds = {name: kind.weight for name, kind in KINDS.items() if with_disk or not kind.needs_disk}
    first = list(kinds)
    while True:
        kind = first.pop(0) if first else moments.choices(list(kinds), list(kinds.values()))[0]
        yield Event(moments.uniform(0.1, 0.9), kind, moments.random(), moments.uniform(0.5, 5.0))


def _client(scene: Scene, event: Event) -> Act:
    """Kill a client, at once or some time later."""
    for _ in range(int(WAIT_S / 0.05)):
        if clients := scene.services.clients():
            yield event.long_s / 4 if event.where < 0.5 else 0.0
            scene.services.kill_client(clients[int(event.where * len(clients))])
            return
        yield 0.05


def _row(scene: Scene, event: Event) -> Act:
    """Kill the clients of one work unit, one after another."""
    unit, killed = "", 0
    for _ in range(int(ROW * WAIT_S / 0.05)):
        clients = [each for each in scene.services.clients() if not unit or unit_of(each) == unit]
        if clients:
            unit = unit or unit_of(clients[int(event.where * len(clients))])
            for each in clients:
                if unit_of(each) == unit:
                    scene.services.kill_client(each)
                    killed += 1
        if killed == ROW:
            return
        yield 0.05


def _stopped(scene: Scene, event: Event) -> Act:
    """Have a client stand still, for longer than the engine has patience, or less."""
    if clients := scene.services.clients():
        client = clients[int(event.where * len(clients))]
        with suppress(psutil.NoSuchProcess):
            client.suspend()
            yield STOPPED * event.long_s
            client.resume()


def _service(scene: Scene, event: Event) -> Act:
    """Kill a service."""
    scene.services.kill_service(event.where)
    yield 0.0


def _all(scene: Scene, event: Event) -> Act:
    """Kill everything at once."""
    scene.services.kill_all()
    yield 0.0


def _outage(scene: Scene, event: Event) -> Act:
    """Have the imaging database away."""
    yield from scene.database.outage(scene.url, event.where, event.long_s / 2)


def _full(scene: Scene, event: Event) -> Act:
    """Fill the disk, in half of all cases but for a little."""
    left_bytes = 0 if event.where < 0.5 else int(event.where * 200_000)
    yield from full(scene.home.path, left_bytes, event.long_s / 2)


#: Named as people read them in docs/kill-test.md.
KINDS = {
    "pictures copied": Kind(6, lambda scene, event: scene.robot.copied(1 + int(event.where * 6))),
    "copy that grows": Kind(2, lambda scene, event: scene.robot.growing(event.long_s)),
    "copy that stalls": Kind(2, lambda scene, event: scene.robot.stalled(2 * event.long_s)),
    "copy preallocated with zeros": Kind(2, lambda scene, event: scene.robot.preallocated(2 * event.long_s)),
    "broken picture": Kind(1, lambda scene, event: scene.robot.broken()),
    "a client killed": Kind(14, _client, kills=True),
    "a service killed": Kind(9, _service, kills=True),
    "three clients of one work unit killed": Kind(2, _row, kills=True),
    "a client that stands still": Kind(1, _stopped),
    "everything killed at once": Kind(1, _all, kills=True),
    "pictures replaced": Kind(5, lambda scene, event: scene.robot.replaced(event.where, 1 + int(event.long_s))),
    "file renamed away and back": Kind(2, lambda scene, event: scene.robot.away(event.where, event.long_s)),
    "folder away and back": Kind(1, lambda scene, event: scene.robot.unmounted(event.where, event.long_s)),
    "pipe in place of a file": Kind(2, lambda scene, event: scene.robot.piped(event.where, event.long_s)),
    "database away": Kind(1, _outage),
    "disk full": Kind(1, _full, needs_disk=True),
}
