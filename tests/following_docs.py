"""``python -m tests.following_docs PAGE``: say what a page tells people to say, word for word, on a fresh Debian.

The Debian is made by debootstrap in a folder, with names, processes and a network of its own, so that nothing on this
machine is met. A fenced block of the page says after its language what is to be done with it:

    ```sh root                said as that user, from its home folder
    ```ini root /etc/FILE     written as that file
    ```sh skip: REASON        not tried; told at the end
    ```text                   said by a program, or for reading

Blocks that fetch something see this machine's network, all others only their own. Services do not start when they are
installed, as in any chroot; the page says ``service NAME restart``.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(?P<language>\w*) *(?P<order>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SKIP = "skip: "
FETCHES = re.compile(r"apt-get|pip install|git clone|make freeze")
SOURCE = "usr/local/src/crystal-search"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BOINC = "https://github.com/BOINC/boinc"
#: Process 1: buries the dead, whom BOINC's `stop` would wait for.
INIT = "import os, time\nwhile True:\n    try: os.wait()\n    except ChildProcessError: time.sleep(0.2)\n"


@dataclass(frozen=True, slots=True)
class Block:
    """What a page tells people to do."""

    text: str
    user: str = ""  #: nobody: it is only to be read
    file: str = ""  #: to write; else it is said
    skipped: str = ""  #: why it is not tried


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order.

    Raises
    ------
    ValueError
        If one does not say what is to be done with it.
    """
    return [_block(found["language"], found["order"], found["text"]) for found in FENCE.finditer(page)]


def _block(language: str, order: str, text: str) -> Block:
    if order.startswith(SKIP):
        return Block(text, skipped=order.removeprefix(SKIP))
    if language == "text":
        return Block(text)
    user, _, file = order.partition(" ")
    if not user or bool(file) == (language == "sh"):
        raise ValueError(
            f"a block of {language or 'no language'} says {order!r} of what is to be done with it: {text[:60]!r}"
        )
    return Block(text, user=user, file=file)


class Machine:
    """A Debian in a folder, and what runs on it."""

    def __init__(self, folder: Path, init: int) -> None:
        self._folder, self._init = folder, init

    def do(self, block: Block) -> int:
        """Do what a block says; return the exit code."""
        if block.file:
            return self.say(f"cat > {shlex.quote(block.file)} <<'WRITTEN'\n{block.text}WRITTEN\n", block.user)
        return self.say(block.text, block.user, online=bool(FETCHES.search(block.text)))

    def say(self, text: str, user: str, *, online: bool = False) -> int:
        """Have a user's shell do something, and end at the first fault; return the exit code."""
        own = ["--mount", "--uts", "--ipc", "--pid", *([] if online else ["--net"])]
        enter = ["nsenter", f"--target={self._init}", *own, "chroot", str(self._folder), "runuser", "-l", user, "-c"]
        return subprocess.run([*enter, f"set -e\n{text}"], stdin=subprocess.DEVNULL, check=False).returncode


def make_debian(folder: Path, mirror: Path | None) -> None:
    """Make a Debian with our source in it, which trusts whom this machine trusts and has BOINC's source at `mirror`."""
    subprocess.run(["debootstrap", "bookworm", folder], stdout=subprocess.DEVNULL, check=True)
    folder.chmod(0o755)  # a temporary folder is its owner's only, and this one is everybody's root
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    shutil.copy(CERTIFICATES, folder / "etc/host-certificates.crt")
    (folder / "etc/pip.conf").write_text("[global]\ncert = /etc/host-certificates.crt\n")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost crystals.lab.example crystals\n")
    (folder / "etc/hostname").write_text("crystals\n")
    (folder / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    if mirror:
        (folder / "mirror").mkdir()
        (folder / "etc/gitconfig").write_text(
            f'[safe]\n\tdirectory = *\n[url "file:///mirror"]\n\tinsteadOf = {BOINC}\n'
        )
    source = folder / SOURCE
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)


@contextmanager
def started(folder: Path, mirror: Path | None) -> Iterator[Machine]:
    """Give the machine in a folder, with nothing running but its first process; end all of it afterwards."""
    mounts = ["mount --make-rprivate /", "mount -t proc proc proc", "mount --rbind /dev dev"]
    if mirror:
        mounts.append(f"mount --bind {shlex.quote(str(mirror))} mirror")
    begin = " && ".join([*mounts, "hostname crystals", "ip link set lo up", 'exec "$0" -c "$1"'])
    words = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", begin]
    with subprocess.Popen([*words, sys.executable, INIT], cwd=folder) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            while not (init := children.read_text().split()):
                time.sleep(0.05)
            while Path(f"/proc/{init[0]}/cmdline").read_bytes().split(b"\0")[0] != sys.executable.encode():
                time.sleep(0.05)
            yield Machine(folder, int(init[0]))
        finally:
            process.send_signal(signal.SIGKILL)


def follow(machine: Machine, page: Path) -> float:
    """Do all that a page tells, and return how many minutes it took; end at the first block that fails."""
    todo, began = blocks(page.read_text(encoding="utf-8")), time.monotonic()
    for block in todo:
        if not block.user:
            continue
        _tell(f"=== {block.user}{f', {block.file}' if block.file else ''}\n{block.text}")
        at = time.monotonic()
        if code := machine.do(block):
            sys.exit(f"this block of {page} ended with code {code}")
        _tell(f"=== {time.monotonic() - at:.0f} s")
    for block in todo:
        if block.skipped:
            _tell(f"=== not tried: {block.skipped}\n{block.text}")
    return (time.monotonic() - began) / 60


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


#: Whether the viewer has a score for each image of the demo plate: what the page promises.
FRAMED = """
all="import json, sys; found = json.load(sys.stdin)['drops']; sys.exit(not found or not all(x['auto'] for x in found))"
curl --fail --silent http://127.0.0.1:8765/api/plate/demo | python3 -c "$all" 2>/dev/null
"""
PATIENCE_S, PAUSE_S = 1800.0, 10.0  #: for frames


def has_frames(machine: Machine) -> bool:
    """Wait until the viewer shows what the page promises; tell whether it does."""
    end = time.monotonic() + PATIENCE_S
    while code := machine.say(FRAMED, "boincadm"):
        if time.monotonic() > end:
            break
        time.sleep(PAUSE_S)
    return not code


def main() -> None:
    """Follow a page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--mirror", type=Path, help=f"a copy of {BOINC} to clone from")
    parser.add_argument(
        "--folder", type=Path, help="where to make the Debian, and to leave it (default: a temporary one)"
    )
    arguments = parser.parse_args()
    if os.geteuid():
        sys.exit("only root can make a Debian in a folder")
    place = arguments.folder or Path(tempfile.mkdtemp(prefix="debian-"))
    make_debian(place, arguments.mirror)
    try:
        with started(place, arguments.mirror) as machine:
            minutes = follow(machine, arguments.page)
            if not has_frames(machine):
                sys.exit(f"{PATIENCE_S:.0f} s later the viewer has no score for each image of the demo plate")
    finally:
        if not arguments.folder:
            shutil.rmtree(place)
    _tell(f"{arguments.page} is right: {minutes:.0f} minutes")


if __name__ == "__main__":
    main()
