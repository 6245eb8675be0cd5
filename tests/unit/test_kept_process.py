"""A command that runs beside a service, and is begun again when it has ended."""

from types import SimpleNamespace

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.server.services import kept_process
from crystal_search.server.services.kept_process import KeptProcess

NOW_S = 1000.0


class PlayedProcess:
    """A process that does what the test says, and keeps what it was told."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.told: list[str] = []

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.told.append("terminate")

    def wait(self, patience_s: float | None = None) -> int:
        self.told.append("wait")
        return OK


class Played:
    """The clock and the processes that are begun."""

    def __init__(self) -> None:
        self.now_s = NOW_S
        self.processes: list[PlayedProcess] = []
        self.words: list[str] = []

    def begin(self, words: list[str], **_: object) -> PlayedProcess:
        self.words = words
        self.processes.append(PlayedProcess())
        return self.processes[-1]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    found = Played()
    monkeypatch.setattr(kept_process, "time", SimpleNamespace(monotonic=lambda: found.now_s))
    monkeypatch.setattr("crystal_search.server.services.kept_process.subprocess.Popen", found.begin)
    return found


def begun_at(played: Played, kept: KeptProcess, code: int | None) -> list[float]:
    """Return the seconds at which a command is begun that always ends at once with `code`; None: that goes on."""
    times = []
    for second in range(12):
        played.now_s = NOW_S + second
        before = len(played.processes)
        kept.look_after()
        if len(played.processes) > before:
            times.append(float(second))
        played.processes[-1].code = code
    return times


@pytest.mark.parametrize(
    ("code", "rest_after_usage_s", "expected"),
    [
        (None, 10.0, [0.0]),
        (OK, 10.0, [0.0, 5.0, 10.0]),
        (-9, 10.0, [0.0, 5.0, 10.0]),
        (USAGE, 10.0, [0.0, 10.0]),
        (USAGE, float("inf"), [0.0]),
    ],
)
def test_a_command_that_ended_is_begun_again_once_it_has_rested(
    code: int | None, rest_after_usage_s: float, expected: list[float], played: Played
) -> None:
    kept = KeptProcess(["view"], rest_s=5.0, rest_after_usage_s=rest_after_usage_s)
    assert begun_at(played, kept, code) == expected
    assert played.words[-3:] == ["-m", "crystal_search.main", "view"]


@pytest.mark.parametrize(("ends_by_itself", "told"), [(False, ["terminate", "wait"]), (True, ["wait"])])
def test_a_command_is_stopped_unless_it_ends_by_itself(ends_by_itself: bool, told: list[str], played: Played) -> None:
    kept = KeptProcess(["x"], rest_s=5.0, rest_after_usage_s=5.0, ends_by_itself=ends_by_itself)
    kept.close()  # nothing was begun
    kept.look_after()
    kept.close()
    assert played.processes[-1].told == told
