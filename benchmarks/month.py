"""A month of the archive: how many volunteers score 15,666,284 images in 30 days, with a clock that only counts.

``python -m benchmarks.month`` plays the queue: create-work keeps it filled to `max_queue` once a minute, work units go
out to hosts that are on, to as many as the quorum asks for and never twice to one; copies come back good, in vain, or
never; what fails too often is split into single images. Limits and deadlines are those of the program. The paper needed
216 machines with 8 processors at 35.7 s an image (Thielmann et al. 2023, section 3.2).
"""

import argparse
import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from benchmarks.table import Row, table
from crystal_search.server.engines.boinc.install import MAX_ERRORS
from crystal_search.server.settings import Settings

ARCHIVE, MONTH_S = 15_666_284, 30 * 86_400.0
PAPER_MACHINES, PAPER_SECONDS = 216, 35.7
CREATE_EVERY_S = 60.0
IMAGES_PER_SECOND_PACKED = 1000.0  #: by create-work, half of what bench_boinc measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What the month is played with."""

    images: int = ARCHIVE
    hosts: int = 1
    processors: int = 8  #: of a host, all lent
    cpu_s_per_image: float = 0.15  #: measured: `crystal-search benchmark`, 2452 x 2056 px
    overhead_s: float = 8.0  #: of a work unit on a processor: download, start, upload, report
    on_share: float = 0.4  #: of the time in which a host is on: working hours and some nights
    on_hours: float = 9.0  #: mean length of a stretch in which it is on
    lost: float = 0.01  #: of copies never come back
    bad: float = 0.01  #: of copies come back in vain: errors, refused results
    quorum: int = 2
    images_per_unit: int = 64
    max_queue: int = 5000
    delay_s: float = 3600 * Settings().boinc_archive_deadline_hours
    max_errors: int = MAX_ERRORS


@dataclass
class Unit:
    """A work unit on its way."""

    images: int
    good: int = 0
    errors: int = 0
    out: int = 0
    seen: set[int] = field(default_factory=set)  #: hosts that had it


@dataclass(eq=False)
class Task:
    """A copy of a work unit on a processor of a host; it stops when the host goes off, and goes on when it is back."""

    unit: Unit
    host: int
    lost: bool  #: it is worked at, and never comes back
    left_s: float
    ends: float = 0.0
    turn: int = 0  #: counts how often it was stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a month went."""

    days: float  #: until the last image was scored
    scored: int
    given_up: int
    copies: int  #: handed out
    busy: float  #: part of the processors' time on that was used


class Month:
    """One run of the queue against simulated hosts."""

    def __init__(self, lab: Lab, seed: int = 0) -> None:
        self.lab, self._random = lab, random.Random(seed)
        self._clock, self._serial = 0.0, 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._queues: dict[frozenset[int], deque[Unit]] = {}  #: units that need a copy, by the hosts that had one
        self._unpacked, self._live = lab.images, 0
        self._running: dict[int, list[Task]] = {host: [] for host in range(lab.hosts)}
        self._is_on = dict.fromkeys(range(lab.hosts), False)
        self._on_since = dict.fromkeys(range(lab.hosts), 0.0)
        self.scored = self.given_up = self.copies = 0
        self._used_s = self._on_s = 0.0

    def run(self, limit_s: float = 100 * MONTH_S) -> Outcome:
        """Play until every image is scored or given up, or time is over."""
        for host in self._running:
            begin = 0.0 if self._random.random() < self.lab.on_share else self._off_s()
            self._at(begin, partial(self._on, host))
        self._at(0.0, self._create)
        while self._events and self.scored + self.given_up < self.lab.images and self._clock < limit_s:
            self._clock, _, happen = heapq.heappop(self._events)
            happen()
        self._on_s += sum(self._clock - self._on_since[host] for host, on in self._is_on.items() if on)
        return Outcome(
            days=self._clock / 86_400,
            scored=self.scored,
            given_up=self.given_up,
            copies=self.copies,
            busy=self._used_s / max(self._on_s * self.lab.processors, 1e-9),
        )

    def _at(self, after_s: float, happen: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._events, (self._clock + after_s, self._serial, happen))

    def _off_s(self) -> float:
        """Return a random length of a stretch in which a host is off."""
        share = self.lab.on_share
        return self._random.expovariate(share / ((1 - share) * 3600 * self.lab.on_hours))

    def _on(self, host: int) -> None:
        length = self._random.expovariate(1 / (3600 * self.lab.on_hours))
        self._is_on[host], self._on_since[host] = True, self._clock
        self._at(length, partial(self._off, host))
        for task in self._running[host]:
            self._go_on(task)
        self._serve(host)

    def _off(self, host: int) -> None:
        self._is_on[host] = False
        self._on_s += self._clock - self._on_since[host]
        for task in self._running[host]:
            task.left_s, task.turn = task.ends - self._clock, task.turn + 1
        self._at(self._off_s(), partial(self._on, host))

    def _create(self) -> None:
        """Fill the queue, as far as one pass of create-work gets."""
        lab = self.lab
        quickly = int(CREATE_EVERY_S * IMAGES_PER_SECOND_PACKED / lab.images_per_unit)
        for _ in range(max(min(lab.max_queue - self._live, quickly), 0)):
            if not self._unpacked:
                break
            size = min(lab.images_per_unit, self._unpacked)
            self._unpacked -= size
            self._add(Unit(size))
        if self._unpacked:
            self._at(CREATE_EVERY_S, self._create)
        for host, on in self._is_on.items():
            if on:
                self._serve(host)

    def _add(self, unit: Unit) -> None:
        self._live += 1
        self._wait(unit)

    def _wait(self, unit: Unit) -> None:
        """Queue a work unit for its next copy; when all hosts have had one, any may have another."""
        if len(unit.seen) >= self.lab.hosts:
            unit.seen.clear()
        self._queues.setdefault(frozenset(unit.seen), deque()).append(unit)

    def _serve(self, host: int) -> None:
        """Give a host work for its free processors, first what others have begun."""
        while len(self._running[host]) < self.lab.processors:
            fitting = [seen for seen in self._queues if host not in seen]
            if not fitting:
                return
            seen = max(fitting, key=len)
            unit = self._queues[seen].popleft()
            if not self._queues[seen]:
                del self._queues[seen]
            self._start(host, unit)

    def _start(self, host: int, unit: Unit) -> None:
        lab = self.lab
        took = lab.overhead_s + unit.images * lab.cpu_s_per_image
        unit.seen.add(host)
        unit.out += 1
        self.copies += 1
        self._used_s += took
        task = Task(unit, host, self._random.random() < lab.lost, took)
        self._running[host].append(task)
        if task.lost:
            self._at(lab.delay_s, partial(self._back, unit, good=False))
        if unit.good + unit.out < lab.quorum:
            self._wait(unit)
        self._go_on(task)

    def _go_on(self, task: Task) -> None:
        task.ends = self._clock + task.left_s
        self._at(task.left_s, partial(self._ended, task, task.turn))

    def _ended(self, task: Task, turn: int) -> None:
        if turn != task.turn:
            return
        self._running[task.host].remove(task)
        if not task.lost:
            self._back(task.unit, good=self._random.random() >= self.lab.bad)
        if self._is_on[task.host]:
            self._serve(task.host)

    def _back(self, unit: Unit, *, good: bool) -> None:
        unit.out -= 1
        if unit.good >= self.lab.quorum:
            return
        if not good:
            self._failed(unit)
            return
        unit.good += 1
        if unit.good == self.lab.quorum:
            self._live -= 1
            self.scored += unit.images

    def _failed(self, unit: Unit) -> None:
        unit.errors += 1
        if unit.errors <= self.lab.max_errors:
            self._wait(unit)
            return
        unit.good = self.lab.quorum  # over, whatever comes back
        self._live -= 1
        if unit.images == 1:
            self.given_up += 1
            return
        for _ in range(unit.images):
            self._add(Unit(1))


def machines(lab: Lab, *, seed: int = 0) -> int:
    """Return the least number of hosts with which all images are done within a month."""
    low, high = 0, max(1, lab.quorum)
    while Month(replace(lab, hosts=high), seed).run(2 * MONTH_S).days > 30:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if Month(replace(lab, hosts=max(middle, lab.quorum)), seed).run(2 * MONTH_S).days > 30:
            low = middle
        else:
            high = middle
    return max(high, lab.quorum)


def rows(images: int) -> list[Row]:
    """Play the month with several labs."""
    labs = {
        "8 processors, two hosts must agree, on 40 % of the time": Lab(images=images),
        "  one host will do": Lab(images=images, quorum=1),
        "  5 % lost, 5 % in vain": Lab(images=images, lost=0.05, bad=0.05),
        "2 processors, two hosts must agree, on 40 % of the time": Lab(images=images, processors=2),
        "  on 20 % of the time": Lab(images=images, processors=2, on_share=0.2),
        "8 processors at the paper's 35.7 s an image, one host, always on": Lab(
            images=images, quorum=1, cpu_s_per_image=8 * PAPER_SECONDS, on_share=0.999, on_hours=1000, lost=0, bad=0
        ),
    }
    found = []
    for what, lab in labs.items():
        number = machines(lab)
        month = Month(replace(lab, hosts=number)).run()
        copies = month.copies * lab.images_per_unit / lab.images
        told = f"{number} machines; {month.days:.1f} days, {copies:.2f} copies of each, {month.busy:.0%} busy"
        found.append(Row(what, f"{told}, {month.given_up} given up", f"{PAPER_MACHINES} in the paper"))
    return found


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=ARCHIVE)
    arguments = parser.parse_args()
    print(table(rows(arguments.images)))


if __name__ == "__main__":
    main()
