"""What a program in a BOINC slot hears and says."""

import errno
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from crystal_search.client import slot as slots
from crystal_search.client import volunteer
from crystal_search.client.slot import (
    ABORTED,
    CHANNEL_BYTES,
    FINISH_FILE,
    HEARTBEAT,
    LATER_FILE,
    REQUEST,
    SHARED_BYTES,
    STATUS,
    InitData,
    Slot,
    read_init_data,
    receive,
    resolved,
    send,
)
from tests.service_site import PATIENCE_S

INIT = """<app_init_data>
<major_version>7</major_version>
<client_pid>{pid}</client_pid>
<wu_cpu_time>12.500000</wu_cpu_time>
<shm_key>-1</shm_key>
</app_init_data>
"""


def with_client(folder: Path, pid: int | None = None) -> Path:
    """Make a slot folder as a client does, of the client with process `pid`."""
    (folder / "init_data.xml").write_text(INIT.format(pid=os.getpid() if pid is None else pid))
    (folder / "boinc_mmap_file").write_bytes(bytes(SHARED_BYTES))
    return folder


class Client:
    """The other side of a slot."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "boinc_mmap_file"

    def ask(self, message: str) -> None:
        self._write(REQUEST, message)

    def beat(self) -> None:
        self._write(HEARTBEAT, "<heartbeat/>")

    def hear(self) -> str:
        """Return what the program said last, and clear it."""
        with self.path.open("r+b") as file:
            file.seek(STATUS * CHANNEL_BYTES)
            data = file.read(CHANNEL_BYTES)
            if data[0]:
                file.seek(STATUS * CHANNEL_BYTES)
                file.write(b"\0")
        return data[1:].partition(b"\0")[0].decode() if data[0] else ""

    def _write(self, channel: int, message: str) -> None:
        with self.path.open("r+b") as file:
            file.seek(channel * CHANNEL_BYTES)
            file.write(b"\1" + message.encode() + b"\0")


class Left:
    """Notes with which code a program would have ended."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def __call__(self, code: int) -> None:
        self.codes.append(code)


def eventually(true: object, seconds: float = PATIENCE_S) -> bool:
    """Wait for something to become true, on a machine that has much else to do."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(true) and true():
            return True
        time.sleep(0.02)
    return False


def test_a_message_waits_until_it_is_read() -> None:
    memory = bytearray(SHARED_BYTES)
    assert send(memory, STATUS, "one")
    assert not send(memory, STATUS, "two")
    assert receive(memory, STATUS) == "one"
    assert receive(memory, STATUS) == ""
    assert send(memory, STATUS, "three")
    assert memory[STATUS * CHANNEL_BYTES : STATUS * CHANNEL_BYTES + 7] == b"\1three\0"
    assert not any(memory[: STATUS * CHANNEL_BYTES])


def test_a_message_that_fills_its_channel_is_read_to_its_end() -> None:
    memory = bytearray(b"\1" + b"x" * (SHARED_BYTES - 1))
    assert receive(memory, REQUEST) == "x" * (CHANNEL_BYTES - 1)


@pytest.mark.parametrize("odd", ["", "12\x01.5", "nan", "1e999", "-1", "9" * 5000, "\u00b2"])
def test_init_data_that_say_no_number_say_nothing(tmp_path: Path, odd: str) -> None:
    tags = f"<client_pid>{odd}</client_pid><wu_cpu_time>{odd}</wu_cpu_time>"
    (tmp_path / "init_data.xml").write_text(tags, encoding="utf-8")
    assert read_init_data(tmp_path) == InitData()


def test_init_data_tell_client_and_time(tmp_path: Path) -> None:
    assert read_init_data(tmp_path) is None
    told = read_init_data(with_client(tmp_path, 4711))
    assert told is not None
    assert (told.client_pid, told.cpu_s) == (4711, 12.5)


def test_links_of_both_kinds_are_followed(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "x"
    project.mkdir(parents=True)
    (project / "big.zip").write_bytes(b"PK")
    place = tmp_path / "slots" / "0"
    place.mkdir(parents=True)
    (place / "unit.zip").write_text("<soft_link>../../projects/x/big.zip</soft_link>\n")
    (place / "link.zip").symlink_to("../../projects/x/big.zip")
    assert resolved(place / "unit.zip").read_bytes() == resolved(place / "link.zip").read_bytes() == b"PK"
    assert resolved(place / "none.zip") == place / "none.zip"


def test_without_a_client_nothing_waits(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    assert slot._shared is None
    slot.pause(0.5)
    slot.finish(0)
    assert (tmp_path / FINISH_FILE).read_text() == "0\n"


def test_progress_and_time_are_told(tmp_path: Path) -> None:
    client, slot = Client(with_client(tmp_path)), Slot(tmp_path, leave=Left())
    assert slot._shared is not None
    slot.pause(0.25)
    assert eventually(lambda: "<fraction_done>2.5" in client.hear())
    assert eventually(lambda: "<current_cpu_time>" in client.hear())
    slot.finish(0)
    assert eventually(lambda: "<fraction_done>1.0" in client.hear())


def test_processor_time_goes_on_from_former_lives(tmp_path: Path) -> None:
    client, slot = Client(with_client(tmp_path)), Slot(tmp_path, leave=Left())
    slot.pause(0.5)
    said = ""
    while "<fraction_done>5" not in said:
        said = client.hear()
        time.sleep(0.02)
    for name in ("checkpoint_cpu_time", "current_cpu_time"):
        assert float(said.partition(f"<{name}>")[2].partition("<")[0]) >= 12.5


def test_a_suspended_program_waits_until_it_may_go_on(tmp_path: Path) -> None:
    client, slot = Client(with_client(tmp_path)), Slot(tmp_path, leave=Left())
    client.ask("<suspend/>")
    assert eventually(lambda: not slot._working.is_set())
    passed = threading.Event()

    def go_on() -> None:
        slot.pause(0.5)
        passed.set()

    threading.Thread(target=go_on, daemon=True).start()
    assert not passed.wait(0.5)
    client.ask("<resume/>")
    assert passed.wait(PATIENCE_S)


@pytest.mark.parametrize(("message", "code"), [("<quit/>", 0), ("<abort/>", ABORTED)])
def test_a_program_ends_when_it_is_asked_to(tmp_path: Path, message: str, code: int) -> None:
    client, left = Client(with_client(tmp_path)), Left()
    Slot(tmp_path, leave=left)
    client.ask(message)
    assert eventually(lambda: bool(left.codes))
    assert left.codes[0] == code
    assert not (tmp_path / FINISH_FILE).exists()


def test_a_program_ends_when_its_client_has_died(tmp_path: Path) -> None:
    left = Left()
    Slot(with_client(tmp_path, dead_process()), leave=left)
    assert eventually(lambda: left.codes == [0])


def dead_process() -> int:
    """Return the number of a process that was."""
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    return pid


def test_without_a_process_number_silence_means_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep, process_time=time.process_time)
    monkeypatch.setattr(slots, "time", clock)
    client, left = Client(with_client(tmp_path, 0)), Left()
    Slot(tmp_path, leave=left)
    for _ in range(5):
        client.beat()
        assert eventually(lambda: not client.path.read_bytes()[HEARTBEAT * CHANNEL_BYTES])
        client.hear()
        now[0] += slots.SILENCE_S - 1
        assert eventually(client.hear)  # so it has looked whether it is alone
    assert left.codes == []
    now[0] += 2
    assert eventually(lambda: left.codes == [0])


def test_a_program_can_be_started_again_later(tmp_path: Path) -> None:
    Slot(tmp_path).later(600, "the disk is full")
    assert (tmp_path / LATER_FILE).read_text() == "600\nthe disk is full\n"


def test_a_full_disk_is_no_fault_of_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(volunteer, "score_in_slot", full)
    assert volunteer.run_in_slot(tmp_path) == 0
    assert (tmp_path / LATER_FILE).read_text().startswith("600\n")
    assert not (tmp_path / FINISH_FILE).exists()
