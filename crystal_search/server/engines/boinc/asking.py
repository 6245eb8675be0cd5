"""Whether the daemon that answers BOINC's validator answers at all."""

import os
import socket

from crystal_search.server.home import Home

ALIVE = b"alive"  #: a question to which it says the same
PATIENCE_S = 10.0  #: it may be at a large result


def is_mute(home: Home) -> bool:
    """Tell whether the daemon takes a question and says nothing; False when there is none, or it cannot be asked."""
    try:
        folder = os.open(home.answers.parent, os.O_PATH)
    except OSError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(PATIENCE_S)
            # The name of a socket has at most 107 bytes, the path of a home may have more.
            asking.connect(f"/proc/self/fd/{folder}/{home.answers.name}")
            asking.sendall(ALIVE)
            asking.shutdown(socket.SHUT_WR)
            return not asking.recv(len(ALIVE))
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        os.close(folder)
