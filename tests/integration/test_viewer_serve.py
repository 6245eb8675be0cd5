import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from crystal_search.errors import UserError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.server.home import Home
from crystal_search.viewer.connections import Connection
from crystal_search.viewer.guard import SECURITY_HEADERS
from crystal_search.viewer.serve import address_of, listen, serve

PEERS = 1100
FEW_FILES = ("bash", "-c", 'ulimit -n 1024; exec "$@"', "-")


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process open enough files to besiege another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * PEERS:
        pytest.skip("a process may open too few files here to besiege another")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * PEERS), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def viewer(home: Path, *options: str, by: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The viewer as people start it, or as a command does that it is given to, and the address that it printed."""
    command = [*by, sys.executable, "-m", "crystal_search.main", "view", "--home", str(home), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, (process.stdout.readline() if process.stdout else "").removeprefix("viewer: ").strip()
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_its_address_serves_and_ends_well(tmp_path: Path, ending: signal.Signals) -> None:
    with viewer(Home(tmp_path / "home").made().path, "--port", "0") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        answer = httpx.get(f"{address}plates")
        assert answer.status_code == 200
        assert "crystal-search import FOLDER" in answer.text
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_answers_to_names_that_are_allowed_only(tmp_path: Path) -> None:
    with viewer(Home(tmp_path / "home").made().path, "--port", "0", "--allow-host", "plates.lab") as (_, address):
        assert httpx.get(address, headers={"host": "plates.lab"}).status_code == 200
        assert httpx.get(address, headers={"host": "other.lab"}).status_code == 421


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(listen("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["view", "--home", str(tmp_path / "home"), "--port", str(port)]) == USAGE
    message = capsys.readouterr().err
    assert f"port {port}" in message
    assert "--port" in message
    assert not (tmp_path / "home").exists()


def test_where_there_is_no_installation_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "--home", str(tmp_path / "home"), "--port", "0"]) == USAGE
    assert "there is no Crystal Search installation in" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("host", "port"), [("no-such-host.invalid", 0), ("203.0.113.9", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1)]
)
def test_a_place_where_nobody_can_listen_is_a_user_error(host: str, port: int) -> None:
    with pytest.raises(UserError):
        listen(host, port)


def test_frame_colours_of_the_home_folder_are_served(tmp_path: Path) -> None:
    Home(tmp_path).made()
    (tmp_path / "frames.toml").write_text('[groups]\ncrystal = "#2ca02c"\n')
    with viewer(tmp_path, "--port", "0") as (_, address):
        assert ".is-crystal_bad_form{--frame:#2ca02c;--ink:#000000}" in httpx.get(f"{address}outcomes.css").text


def test_frame_colours_that_cannot_be_stop_the_viewer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frames.toml").write_text('[groups]\ncrystal = "green"\n')
    assert main(["view", "--home", str(tmp_path), "--port", "0"]) == USAGE
    assert "crystal must be a colour" in capsys.readouterr().err


def test_the_port_is_free_again_at_once(tmp_path: Path) -> None:
    with viewer(Home(tmp_path / "home").made().path, "--port", "0") as (process, address):
        httpx.get(address)
        process.terminate()
        process.wait(10)
    port = int(address.rstrip("/").rpartition(":")[2])
    listen("127.0.0.1", port).close()


def test_any_address_is_told_as_one_that_browsers_can_open() -> None:
    with closing(listen("0.0.0.0", 0)) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")


def test_an_address_of_version_six_has_brackets() -> None:
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    with closing(listen("::1", 0)) as listener:
        assert address_of(listener).startswith("http://[::1]:")


def test_it_answers_at_the_address_that_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resolve = socket.getaddrinfo
    statuses: list[int] = []

    def resolve_plates(host: str, *more: Any, **options: Any) -> Any:
        return resolve("127.0.0.2" if host == "plates.lab" else host, *more, **options)

    def ask(address: str) -> None:
        hosts = (address.split("/")[2], "plates.lab", "other.lab")
        statuses.extend(httpx.get(address, headers={"host": host}).status_code for host in hosts)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_plates)
    serve(
        Home(tmp_path / "home").made(),
        host="plates.lab",
        port=0,
        ready=lambda told: threading.Thread(target=ask, args=[told]).start(),
    )
    assert statuses == [200, 200, 421]
    assert "nobody signs in: whoever reaches plates.lab sees all plates, and writes nothing" in caplog.text


def test_serve_calls_ready_and_gives_signals_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    addresses: list[str] = []

    def ready(address: str) -> None:
        addresses.append(address)
        threading.Thread(target=stop_soon).start()

    def stop_soon() -> None:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    serve(Home(tmp_path / "home").made(), port=0, ready=ready)
    assert len(addresses) == 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_peers_that_say_nothing_are_given_up_and_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-open connections, as a slow-loris opens them: some say a byte now and then, some nothing at all."""
    monkeypatch.setattr(Connection, "request_s", 1.5)
    monkeypatch.setattr(Connection, "most", 8)
    statuses: list[int] = []
    ended: list[bool] = []

    def is_ended(peer: socket.socket) -> bool:
        try:
            return peer.recv(100) == b""
        except ConnectionResetError:
            return True

    def besiege(address: str) -> None:
        port = httpx.URL(address).port
        with ExitStack() as stack:
            peers = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(30)]
            try:
                for peer in peers[-5:]:
                    peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a: ")
                statuses.append(httpx.get(address, timeout=120).status_code)
                for _ in range(3):
                    time.sleep(0.3)
                    peers[-1].sendall(b"b")
                ended.extend(is_ended(peer) for peer in peers)
                statuses.append(httpx.get(address, timeout=120).status_code)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

    asking: list[threading.Thread] = []

    def ready(address: str) -> None:
        asking.append(threading.Thread(target=besiege, args=[address]))
        asking[0].start()

    serve(Home(tmp_path / "home").made(), port=0, ready=ready)
    asking[0].join()
    assert statuses == [200, 200]
    assert ended == [True] * 30


def test_more_peers_than_a_process_may_have_files_open_keep_nobody_out(tmp_path: Path) -> None:
    """Each says the beginning of a request and no more."""
    with ExitStack() as stack:
        _, address = stack.enter_context(viewer(Home(tmp_path / "home").made().path, "--port", "0", by=FEW_FILES))
        stack.enter_context(many_files())
        for _ in range(PEERS):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", httpx.URL(address).port), 20))
            with suppress(ConnectionError):
                peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        for path in ("", "api/plates"):
            assert httpx.get(address + path, timeout=300).status_code == 200


def test_peers_that_come_all_at_once_take_no_more_files_than_there_are(tmp_path: Path) -> None:
    """They queue while the viewer is stopped, as on a machine that is busy with other work."""
    with ExitStack() as stack:
        process, address = stack.enter_context(viewer(Home(tmp_path / "home").made().path, "--port", "0", by=FEW_FILES))
        stack.enter_context(many_files())
        process.send_signal(signal.SIGSTOP)
        for _ in range(PEERS):
            stack.enter_context(socket.create_connection(("127.0.0.1", httpx.URL(address).port), 20))
        process.send_signal(signal.SIGCONT)
        assert httpx.get(address, timeout=300).status_code == 200
        process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_head_that_grows_and_grows_is_refused(tmp_path: Path) -> None:
    with viewer(Home(tmp_path / "home").made().path, "--port", "0") as (_, address):
        with socket.create_connection(("127.0.0.1", httpx.URL(address).port or 0), 20) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Again: and again\r\n" * 1000)
            assert peer.recv(100).startswith(b"HTTP/1.1 400 ")
        assert httpx.get(address).status_code == 200


def test_what_is_no_http_is_refused_with_the_headers_of_every_answer(tmp_path: Path) -> None:
    with viewer(Home(tmp_path / "home").made().path, "--port", "0") as (_, address):
        with socket.create_connection(("127.0.0.1", httpx.URL(address).port or 0), 20) as peer:
            peer.sendall(b"GARBAGE\r\n\r\n")
            told = peer.makefile("rb").read().decode().lower()
        assert told.startswith("http/1.1 400 ")
        assert all(f"{name}: {value}".lower() in told for name, value in SECURITY_HEADERS.items())
