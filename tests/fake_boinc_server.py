"""A BOINC project's web server, played: a real client can attach, fetch a task, upload and report its result."""

import hashlib
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from crystal_search.server.engines.boinc.staging import API_VERSION, File

PLATFORM = "x86_64-pc-linux-gnu"


BITS, EXPONENT = 1024, 65537  # of a project's key for signing code


def prime(bits: int, rng: random.Random) -> int:
    """Return a random number that is prime, but for a chance of 4 ** -20."""
    while True:
        number = rng.getrandbits(bits) | (3 << (bits - 2)) | 1
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23)) and _passes(number, rng):
            return number


def _passes(number: int, rng: random.Random) -> bool:
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        power = pow(rng.randrange(2, number - 1), odd, number)
        squares = [power]
        for _ in range(twos - 1):
            squares.append(squares[-1] ** 2 % number)
        if power != 1 and number - 1 not in squares:
            return False
    return True


class CodeSigningKey:
    """The key that a project signs its programs with, and how BOINC writes key and signatures."""

    def __init__(self) -> None:
        rng = random.Random(1)
        p, q = (prime(BITS // 2, rng) for _ in range(2))
        self.modulus = p * q
        self.secret = pow(EXPONENT, -1, (p - 1) * (q - 1))

    def public(self) -> str:
        return f"{BITS}\n{_lines(self.modulus)}{_lines(EXPONENT)}.\n"

    def signature(self, data: bytes) -> str:
        """Return the MD5 of data, in hex, padded after PKCS 1 (type 1), to the power of the secret."""
        text = hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
        block = b"\0\1" + b"\xff" * (BITS // 8 - 3 - len(text)) + b"\0" + text
        return f"{_lines(pow(int.from_bytes(block, 'big'), self.secret, self.modulus))}.\n"


def _lines(number: int) -> str:
    text = f"{number:0{BITS // 4}x}"
    return "".join(f"{text[start : start + 64]}\n" for start in range(0, len(text), 64))


@dataclass
class FakeServer:
    """What the server gives out and what came back."""

    files: Sequence[File]  #: of the application version
    units: dict[str, bytes]  #: job name -> work unit file
    address: str = ""
    key: CodeSigningKey = field(default_factory=CodeSigningKey)
    sent: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)  #: by file name
    reports: dict[str, str] = field(default_factory=dict)  #: result name -> what the client says of it

    def content(self, name: str) -> bytes | None:
        """Return a file that can be downloaded."""
        if name in self.units:
            return self.units[name]
        for file in self.files:
            if file.physical == name:
                return file.source if isinstance(file.source, bytes) else file.source.read_bytes()
        return None

    def reply(self, request: str) -> str:
        """Return the scheduler's answer: all tasks at once, and thanks for what is reported."""
        thanks = ""
        for each in re.findall(r"<result>.*?</result>", request, re.DOTALL):
            name = _tag(each, "name")
            self.reports[name] = each
            thanks += f"<result_ack>\n<name>{name}</name>\n</result_ack>\n"
        known = "<code_sign_key>" in request and _tag(request, "code_sign_key")
        key = "" if known else f"<code_sign_key>\n{self.key.public()}</code_sign_key>\n"
        wanted = float(_tag(request, "work_req_seconds") or 0) > 0
        tasks = [name for name in self.units if name not in self.sent] if wanted else []
        self.sent += tasks
        return (
            f"<scheduler_reply>\n<scheduler_version>803</scheduler_version>\n<master_url>{self.address}/</master_url>\n"
            "<request_delay>1</request_delay>\n<project_name>Played</project_name>\n<userid>1</userid>\n"
            f"<user_name>x</user_name>\n<hostid>1</hostid>\n<next_rpc_delay>2</next_rpc_delay>\n"
            f"{key}{thanks}"
            f"{self._version() if tasks else ''}{''.join(self._task(name) for name in tasks)}</scheduler_reply>\n"
        )

    def _version(self) -> str:
        infos = "".join(self._info(file.physical, executable=file.main, signed=True) for file in self.files)
        refs = "".join(
            f"<file_ref>\n<file_name>{file.physical}</file_name>\n<open_name>{file.logical}</open_name>\n"
            f"{'<main_program/>' if file.main else ''}\n<copy_file/>\n</file_ref>\n"
            for file in self.files
        )
        return (
            "<app>\n<name>crystal_search</name>\n<user_friendly_name>Crystal Search</user_friendly_name>\n"
            f"<non_cpu_intensive>0</non_cpu_intensive>\n</app>\n{infos}<app_version>\n<app_name>crystal_search</app_name>\n"
            f"<version_num>1</version_num>\n<platform>{PLATFORM}</platform>\n<avg_ncpus>1</avg_ncpus>\n<flops>1e9</flops>\n"
            f"<api_version>{API_VERSION}</api_version>\n{refs}</app_version>\n"
        )

    def _task(self, name: str) -> str:
        out, deadline = f"{name}_0_r1_0", time.time() + 86_400
        return (
            f"{self._info(name)}<workunit>\n<name>{name}</name>\n<app_name>crystal_search</app_name>\n"
            "<version_num>1</version_num>\n<rsc_fpops_est>1e10</rsc_fpops_est>\n<rsc_fpops_bound>1e14</rsc_fpops_bound>\n"
            "<rsc_memory_bound>1e9</rsc_memory_bound>\n<rsc_disk_bound>2e9</rsc_disk_bound>\n<command_line></command_line>\n"
            f"<file_ref>\n<file_name>{name}</file_name>\n<open_name>unit.zip</open_name>\n<copy_file/>\n</file_ref>\n"
            f"</workunit>\n<file_info>\n<name>{out}</name>\n<generated_locally/>\n<upload_when_present/>\n"
            f"<max_nbytes>5000000</max_nbytes>\n<upload_url>{self.address}/upload</upload_url>\n</file_info>\n<result>\n"
            f"<name>{name}_0</name>\n<wu_name>{name}</wu_name>\n<report_deadline>{deadline:.0f}</report_deadline>\n"
            f"<file_ref>\n<file_name>{out}</file_name>\n<open_name>result.json</open_name>\n<copy_file/>\n</file_ref>\n"
            f"<platform>{PLATFORM}</platform>\n<version_num>1</version_num>\n</result>\n"
        )

    def _info(self, name: str, *, executable: bool = False, signed: bool = False) -> str:
        data = self.content(name) or b""
        signature = f"<file_signature>\n{self.key.signature(data)}</file_signature>\n" if signed else ""
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return (
            f"<file_info>\n<name>{name}</name>\n<url>{self.address}/download/{name}</url>\n"
            f"{'<executable/>' if executable else ''}\n<md5_cksum>{digest}</md5_cksum>\n<nbytes>{len(data)}</nbytes>\n"
            f"{signature}</file_info>\n"
        )

    def take(self, body: bytes) -> str:
        """Take an upload, or tell how much of one is there."""
        if b"<get_file_size>" in body:
            return "<data_server_reply>\n<status>0</status>\n<file_size>0</file_size>\n</data_server_reply>\n"
        head, _, data = body.partition(b"<data>\n")
        name = re.findall(r"<name>\s*([^<]+?)\s*</name>", head.decode(errors="replace"))[0]
        self.uploads[name] = data
        return "<data_server_reply>\n<status>0</status>\n</data_server_reply>\n"


def _tag(text: str, name: str) -> str:
    found = re.search(rf"<{name}>\s*([^<]*?)\s*</{name}>", text)
    return found[1] if found else ""


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """Serve on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = Path(self.path).name
            if self.path.startswith("/download/") and (data := server.content(name)) is not None:
                self._say(data)
            elif self.path.startswith("/get_project_config.php"):
                self._say(
                    f"<project_config>\n<name>Played</name>\n<master_url>{server.address}/</master_url>\n"
                    "</project_config>\n".encode()
                )
            else:
                self._say(f"<!-- <scheduler>{server.address}/scheduler</scheduler> -->\n".encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._say((server.take(body) if self.path == "/upload" else server.reply(body.decode())).encode())

        def _say(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *words: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
