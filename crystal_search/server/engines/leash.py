"""``python -m crystal_search.server.engines.leash PARENT COMMAND...``: run a command that dies with its parent.

A supervisor that is killed with signal 9 cannot stop its children. Linux can: the kernel sends the signal that
`PR_SET_PDEATHSIG` names when the thread that started the process ends, and the request survives the ``exec``
that follows it: so start leashed commands in a thread that lives as long as the process.
On other systems the command runs unleashed.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE_S = 3.0  #: between asking a process to stop and stopping it

#: Runs our modules. Without ``-P`` Python would import from the current folder first, which may be one of images.
PYTHON = (sys.executable, "-P")


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` for as long as this process lives."""
    return [*PYTHON, "-m", __name__, str(os.getpid()), *command]


def end(process: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Wait so long for a process to end, then kill it."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(words: Sequence[str]) -> None:
    """Tie this process to its parent and become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(words[0]):
        sys.exit("the parent is gone already")
    os.execvp(words[1], list(words[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
