"""A volunteer's computer, played: it attaches, asks for work, answers what a test wants, uploads and reports.

It speaks to a real BOINC server as a client does, by the messages that BOINC's pages "RPC protocol" and "File upload"
describe.
"""

import hashlib
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 30.0
UPLOADED, COMPUTE_ERROR = 5, 3  # states of a result that a client reports
PLATFORM = "x86_64-pc-linux-gnu"

DOWNLOAD_ERROR = -186  #: a client's exit code for an input file that it could not get


@dataclass(frozen=True)
class File:
    """A file of an application version."""

    physical: str
    logical: str
    url: str
    main: bool


@dataclass(frozen=True)
class Task:
    """A copy of a work unit that the server has sent."""

    result: str
    unit_url: str
    upload_name: str
    upload_url: str
    upload_limit: str  #: size of the upload, as the server has signed it
    upload_signature: str
    version: str
    program: tuple[File, ...]  #: files of the application version to compute it with

    def unit(self) -> bytes:
        """Download the work unit's file; `urllib.error.HTTPError` when the server has lost it."""
        return _get(self.unit_url)


Answer = Callable[[Task], bytes | int]  #: from a task to an uploaded file, or the code of an error


class Volunteer:
    """One account with one host at a project."""

    def __init__(self, master_url: str, name: str, *, invitation: str = "", platform: str = PLATFORM) -> None:
        self.master_url, self.platform = master_url, platform
        mail = f"{name}@lab.example"
        words = {
            "email_addr": mail,
            "passwd_hash": hashlib.md5(f"secret{mail}".encode(), usedforsecurity=False).hexdigest(),
            "user_name": name,
            "invite_code": invitation,
        }
        told = _get(f"{master_url}create_account.php?{urllib.parse.urlencode(words)}").decode()
        self.key = _tag(told, "authenticator")
        if not self.key:
            raise ConnectionError(f"no account: {told[:500]}")
        self.scheduler = re.findall(r"<scheduler>\s*(\S+?)\s*</scheduler>", _get(master_url).decode())[0]
        self.name, self.host, self.calls = name, 0, 0

    def tasks(self) -> list[Task]:
        """Ask for work and return what came."""
        reply = self._ask(seconds=1000)
        infos = {_tag(each, "name"): each for each in _blocks(reply, "file_info")}
        urls = {name: _tag(each, "url") for name, each in infos.items()}
        inputs = {_tag(each, "name"): _blocks(each, "file_name")[0] for each in _blocks(reply, "workunit")}
        programs = {_tag(each, "version_num"): _program(each, urls) for each in _blocks(reply, "app_version")}
        found = []
        for each in _blocks(reply, "result"):
            if not _tag(each, "name"):
                continue
            (upload_name,) = _blocks(each, "file_name")
            version = _tag(each, "version_num")
            found.append(
                Task(
                    result=_tag(each, "name"),
                    unit_url=urls[inputs[_tag(each, "wu_name")]],
                    upload_name=upload_name,
                    upload_url=urls[upload_name],
                    upload_limit=_tag(infos[upload_name], "max_nbytes"),
                    upload_signature=_tag(infos[upload_name], "xml_signature"),
                    version=version,
                    program=programs[version],
                )
            )
        return found

    def work(self, answer: Answer) -> list[str]:
        """Take all work there is, answer it, and return the names of the results."""
        tasks = self.tasks()
        self.finish(tasks, answer)
        return [task.result for task in tasks]

    def finish(self, tasks: list[Task], answer: Answer) -> None:
        """Answer tasks that it has, and report them."""
        self.report([(task, self._done(task, answer)) for task in tasks])

    def delay_s(self) -> float:
        """Return how long the server tells a client to stay away that asks for nothing."""
        return float(_tag(self._ask(), "request_delay"))

    def report(self, done: list[tuple[Task, bytes | int]]) -> None:
        """Tell the server how tasks ended; what was computed is uploaded already."""
        if done:
            self._ask("".join(_report(*each) for each in done))

    def _done(self, task: Task, answer: Answer) -> bytes | int:
        try:
            data = answer(task)
        except urllib.error.HTTPError:
            return DOWNLOAD_ERROR
        if isinstance(data, bytes):
            self.upload(task, data)
        return data

    def upload(self, task: Task, data: bytes) -> None:
        """Send a file to the server, which may refuse it."""
        head = (
            "<data_server_request>\n<core_client_major_version>7</core_client_major_version>\n"
            "<core_client_minor_version>20</core_client_minor_version>\n<core_client_release>5</core_client_release>\n"
            f"<file_upload>\n<file_info>\n<name>{task.upload_name}</name>\n<max_nbytes>{task.upload_limit}</max_nbytes>\n"
            f"<xml_signature>\n{task.upload_signature}\n</xml_signature>\n</file_info>\n"
            f"<nbytes>{len(data)}</nbytes>\n"
            f"<md5_cksum>{hashlib.md5(data, usedforsecurity=False).hexdigest()}</md5_cksum>\n"
            "<offset>0</offset>\n<data>\n"
        )
        told = _post(task.upload_url, head.encode() + data).decode()
        if _tag(told, "status") != "0":
            raise ConnectionError(told)

    def _ask(self, more: str = "", *, seconds: int = 0) -> str:
        self.calls += 1
        host = f"<hostid>{self.host}</hostid>\n" if self.host else ""
        reply = _post(
            self.scheduler,
            (
                f"<scheduler_request>\n<authenticator>{self.key}</authenticator>\n{host}"
                f"<rpc_seqno>{self.calls}</rpc_seqno>\n<core_client_major_version>7</core_client_major_version>\n"
                "<core_client_minor_version>20</core_client_minor_version>\n<core_client_release>5</core_client_release>\n"
                f"<platform_name>{self.platform}</platform_name>\n<work_req_seconds>{seconds}</work_req_seconds>\n"
                f"<cpu_req_secs>{seconds}</cpu_req_secs>\n<cpu_req_instances>1</cpu_req_instances>\n<host_info>\n<domain_name>{self.name}</domain_name>\n"
                f"<ip_addr>10.0.0.1</ip_addr>\n<host_cpid>{hashlib.md5(self.name.encode()).hexdigest()}</host_cpid>\n"
                "<p_ncpus>4</p_ncpus>\n<p_fpops>5e9</p_fpops>\n<p_iops>1e10</p_iops>\n<m_nbytes>8e9</m_nbytes>\n"
                "<d_total>1e12</d_total>\n<d_free>5e11</d_free>\n<p_vendor>x</p_vendor>\n<p_model>x</p_model>\n"
                "<os_name>Linux</os_name>\n<os_version>6</os_version>\n</host_info>\n"
                f"<disk_usage>\n<d_boinc_used_total>1</d_boinc_used_total>\n</disk_usage>\n{more}</scheduler_request>\n"
            ).encode(),
        ).decode(errors="replace")
        if number := _tag(reply, "hostid"):
            self.host = int(number)
        return reply


def _report(task: Task, data: bytes | int) -> str:
    """Return what a client says of a task that is over."""
    files, code, state = "", 0, UPLOADED
    if isinstance(data, int):
        code, state = data, COMPUTE_ERROR
    else:
        files = f"<file_info>\n<name>{task.upload_name}</name>\n<nbytes>{len(data)}</nbytes>\n</file_info>\n"
    return (
        f"<result>\n<name>{task.result}</name>\n<final_cpu_time>1</final_cpu_time>\n"
        f"<final_elapsed_time>1</final_elapsed_time>\n<exit_status>{code}</exit_status>\n"
        f"<state>{state}</state>\n<platform>{PLATFORM}</platform>\n"
        f"<version_num>{task.version}</version_num>\n<stderr_out>\n<core_client_version>7.20.5</core_client_version>\n"
        f"<![CDATA[<stderr_txt>played</stderr_txt>]]>\n</stderr_out>\n{files}</result>\n"
    )


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
        return bytes(reply.read())


def _post(url: str, data: bytes) -> bytes:
    request = urllib.request.Request(url, data, {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return bytes(reply.read())


def _tag(text: str, name: str) -> str:
    found = re.search(rf"<{name}>\s*([^<]*?)\s*</{name}>", text)
    return found[1] if found else ""


def _blocks(text: str, name: str) -> list[str]:
    return re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)


def _program(version: str, urls: dict[str, str]) -> tuple[File, ...]:
    """Return the files that the description of an application version names."""
    found = []
    for each in _blocks(version, "file_ref"):
        physical = _tag(each, "file_name")
        found.append(File(physical, _tag(each, "open_name") or physical, urls[physical], "<main_program/>" in each))
    return tuple(found)


def good_answer(folder: Path) -> Answer:
    """Return what a real client does: keep the program's files below `folder`, run it in a slot, take its result."""
    kept = folder / "project"
    kept.mkdir(parents=True)

    def answer(task: Task) -> bytes | int:
        slot = folder / "slots" / task.version
        slot.mkdir(parents=True, exist_ok=True)
        for file in task.program:
            if not (kept / file.physical).exists():
                (kept / file.physical).write_bytes(_get(file.url))
                (kept / file.physical).chmod(0o755)
            if not (slot / file.logical).exists():
                shutil.copy(kept / file.physical, slot / file.logical)
        shutil.rmtree(slot / "work", ignore_errors=True)
        (slot / "result.json").unlink(missing_ok=True)
        (slot / "unit.zip").write_bytes(task.unit())
        (slot / "init_data.xml").write_text("<app_init_data/>\n")  # the program stays unpacked where there is one
        (main,) = (file.logical for file in task.program if file.main)
        code = subprocess.run([str(slot / main)], cwd=slot, check=False, capture_output=True).returncode
        return code if code else (slot / "result.json").read_bytes()

    return answer
