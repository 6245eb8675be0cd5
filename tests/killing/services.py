"""The product's processes: one `watch`, or `work` and the other steps one after another, as cron runs them."""

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.service_site import PATIENCE_S

ROOT = Path(__file__).parents[2]
STEPS = ("import", "create-work", "validate", "assimilate", "finalize", "set-autoscore")
FAULT = re.compile(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b.*", re.MULTILINE)
BREATH_S = 0.2  #: between two starts of a command


@dataclass(slots=True)
class Line:
    """Commands that follow each other, one at a time, over and over."""

    commands: Sequence[tuple[str, ...]]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    turn: int = 0

    @property
    def name(self) -> str:
        """Which command runs, or ran last."""
        return self.commands[self.turn % len(self.commands)][0]


class Services:
    """Keeps the commands going, whatever ends them, and kills them when asked to."""

    def __init__(self, home: Path, robot: Path, *, one_by_one: bool) -> None:
        self._home = ["--home", str(home)]
        self._log = home.parent / "services.log"
        self.ended: Counter[str] = Counter()  #: commands that ended with another code than 0, and were not killed
        self.killed: Counter[str] = Counter()
        folder = (str(robot), "--names", "xchem")
        if one_by_one:
            steps = [(step, *(folder if step == "import" else ())) for step in STEPS]
            self._lines = [Line([("work", "--forever")]), Line(steps)]
        else:
            self._lines = [Line([("watch", *folder, "--no-view")])]

    def look_after(self) -> None:
        """Start what does not run."""
        for line in self._lines:
            if line.process is None:
                self._start(line)
            elif line.process.poll() is not None and time.monotonic() - line.started_at > BREATH_S:
                if line.process.returncode > 0:
                    self.ended[f"{line.name}: exit code {line.process.returncode}"] += 1
                line.turn += 1
                self._start(line)

    def clients(self) -> list[psutil.Process]:
        """Return the client programs that run."""
        return [each for line in self._lines for each in _below(line) if unit_of(each)]

    def kill_service(self, where: float) -> None:
        """Kill one of the services, and see that no client outlives the one that started it."""
        if running := self._running():
            self._kill(running[int(where * len(running))])

    def kill_all(self) -> None:
        """Kill everything at the same time, as a power cut does."""
        for line in self._running():
            self._kill(line)

    def kill_client(self, client: psutil.Process) -> None:
        """Kill a client."""
        with suppress(psutil.NoSuchProcess):
            if client.status() != psutil.STATUS_ZOMBIE:
                client.kill()
                self.killed["client"] += 1

    def close(self) -> None:
        """End everything in order."""
        for line in self._lines:
            if line.process:
                line.process.terminate()
                line.process.wait(PATIENCE_S)

    def faults(self) -> Counter[str]:
        """Return the exceptions that the services let through, counted."""
        return Counter(match[0][:200] for match in FAULT.finditer(self._log.read_text(errors="replace")))

    def _start(self, line: Line) -> None:
        words = [sys.executable, "-m", "tests.kill_driver", *line.commands[line.turn % len(line.commands)], *self._home]
        with self._log.open("ab") as log:
            line.process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        line.started_at = time.monotonic()

    def _running(self) -> list[Line]:
        return [line for line in self._lines if line.process and line.process.poll() is None]

    def _kill(self, line: Line) -> None:
        below = _below(line)
        if line.process:
            line.process.kill()
            self.killed[line.name] += line.process.wait() == -signal.SIGKILL
        assert not psutil.wait_procs(below, timeout=PATIENCE_S)[1], "a client outlived the service that started it"


def unit_of(process: psutil.Process) -> str:
    """Return the work unit that a process works on; empty when it is no client, or has ended."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        words = process.cmdline()
        if "crystal_search.client" in words:
            return next((word for word in words if word.endswith(".zip")), "")
    return ""


def _below(line: Line) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        if line.process:
            return psutil.Process(line.process.pid).children(recursive=True)
    return []
