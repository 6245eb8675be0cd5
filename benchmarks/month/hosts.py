"""Volunteers: they come and go, lose work, are late, fail and lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from benchmarks.month.answers import Answer, another_units, garbage, honest, old_version, other_images, wrong_numbers
from benchmarks.month.boinc_rows import Copy
from benchmarks.month.boinc_server import BoincServer
from benchmarks.month.clock import Clock
from crystal_search.errors import WorkUnitError
from crystal_search.work_unit import WorkUnit, read_work_unit

NOT_FOUND, NOT_FETCHED, CRASHED = -224, -186, 1  #: what BOINC's client says of a download, ours of a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """What kind of host it is; shares are of its copies."""

    answer: Answer = honest
    lost: float = 0.01  #: never heard of again
    crashed: float = 0.01  #: end with the client's exit code for a fault
    not_fetched: float = 0.01  #: end with a download error
    on_share: float | None = None  #: instead of the others', of the time in which it is on
    shares_account: bool = False  #: whether all of this kind are one account's, and say the same


CHARACTERS: Mapping[str, Character] = {
    "fair": Character(),
    "careless": Character(lost=0.3, crashed=0.1, not_fetched=0.1),
    "rare": Character(on_share=0.05),
    "vanishing": Character(lost=1.0),
    "liar": Character(answer=wrong_numbers),
    "plotter": Character(answer=wrong_numbers, shares_account=True),
    "confused": Character(answer=another_units),
    "skipping": Character(answer=other_images),
    "garbage": Character(answer=garbage),
    "old": Character(answer=old_version),
}


@dataclass
class Task:
    """A copy on a host."""

    copy: Copy
    left_s: float  #: of processor time
    unit: WorkUnit | None  #: None when it could not be fetched
    exit_status: int = 0
    is_lost: bool = False


@dataclass
class Host:
    """A computer with some processors."""

    number: int  #: from 1
    account: int
    kind: str
    processors: int
    s_per_image: float  #: of processor time
    on_share: float
    on_s: float  #: mean length of a stretch in which it is on
    random: Random
    is_on: bool = False
    turns_at_s: float = 0.0  #: on or off
    used_s: float = 0.0  #: of processor time so far
    tasks: list[Task] = field(default_factory=list)

    @property
    def character(self) -> Character:
        """What kind of host it is."""
        return CHARACTERS[self.kind]

    def live(self, server: BoincServer, clock: Clock, seconds: float) -> None:
        """Live for so long up to now: turn on or off, compute, report, ask for work."""
        while self.turns_at_s <= clock.now_s:
            self.is_on = not self.is_on
            share = self.character.on_share or self.on_share
            mean_s = self.on_s if self.is_on else self.on_s * (1 - share) / share
            self.turns_at_s += self.random.expovariate(1 / mean_s)
        if self.is_on:
            self._compute(seconds * self.processors)
            self.tasks = [task for task in self.tasks if task.left_s > 0 or not self._report(server, task)]
            self._ask(server)

    def _compute(self, seconds: float) -> None:
        for task in self.tasks:
            done_s = min(seconds, task.left_s)
            task.left_s -= done_s
            self.used_s += done_s
            seconds -= done_s

    def _report(self, server: BoincServer, task: Task) -> bool:
        if task.is_lost:
            return True
        if server.away:
            return False
        code = task.exit_status
        if not code and task.unit:
            secret = f"{self.kind} {self.account}" if self.character.answer is wrong_numbers else ""
            answer = self.character.answer(task.unit, self.random, secret)
            if isinstance(answer, int):
                code = answer
            else:
                path = server.upload_of(task.copy)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(answer)
        return server.report(task.copy, code)

    def _ask(self, server: BoincServer) -> None:
        room = self.processors * server.per_processor - len(self.tasks)
        for copy in server.send(self.number, self.account, room):
            self.tasks.append(self._fetched(server, copy))

    def _fetched(self, server: BoincServer, copy: Copy) -> Task:
        chance, character = self.random.random(), self.character
        if chance < character.not_fetched:
            return Task(copy, 1.0, None, self.random.choice((NOT_FOUND, NOT_FETCHED)))
        try:
            unit = read_work_unit(server.project.place_of(copy.job.file))
        except WorkUnitError:
            return Task(copy, 1.0, None, NOT_FOUND)
        work_s = len(unit.images) * self.s_per_image
        if self.random.random() < character.lost:
            return Task(copy, work_s, unit, is_lost=True)
        crashed = self.random.random() < character.crashed
        return Task(copy, work_s, unit, CRASHED if crashed else 0)
