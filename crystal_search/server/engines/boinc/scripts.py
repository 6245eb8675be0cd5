"""The scripts in a project's ``bin``, which its daemons call or start; `install` writes them."""

import os
import sys

from crystal_search.server.engines.boinc.project import APP
from crystal_search.server.home import Home

CHECK, COMPARE, ASSIMILATE, ANSWER = (f"{APP}_{what}" for what in ("check", "compare", "assimilate", "answer"))
ASKED_S = 2  #: after which a script waits no longer for the daemon that answers
PAUSES_S = "0 1 5 30 60 120 300"  #: before each try without the daemon; after the last there is no answer

ASKING = """#!/bin/sh
# BOINC's validator asks here: exit code 0 valid, 3 no answer, all others invalid. At no answer it has one more host do
# the work, also when a single result is checked; so faults of this installation are waited out for some minutes. The
# daemon answers in a few ms. When it does not, Python is started, which takes 0.1 s.
export OPENBLAS_NUM_THREADS=1  # threads that nothing here needs take half of the time
home={home}

# Prints what the daemon says. Perl's core alone, with 1 for AF_UNIX and SOCK_STREAM: its Socket.pm takes longer to load
# than all the rest. From within the home folder, since a socket's name has at most 107 bytes.
daemon() {{
    perl -e '
        alarm {patience_s};
        chdir $ARGV[1] or exit;
        socket S, 1, 1, 0 and connect S, pack("Sa*", 1, "{socket}") or exit;
        syswrite S, join "\\0", @ARGV;
        shutdown S, 1;
        print <S>;
    ' -- "$@" 2>/dev/null
}}

answer=$(daemon {what} "$home" "$@")
case $answer in
    valid) exit 0 ;;
    "refused "*) printf '%s\\n' "$answer" >&2; exit 1 ;;
esac
for pause in {pauses}; do
    sleep "$pause"
    {python} -m crystal_search.server.boinc.checking {what} "$home" "$@"
    case $? in 0) exit 0 ;; 9) exit 1 ;; esac
done
exit 3
"""

ANSWERING = """#!/bin/sh
# A daemon of the project: answers what the validator asks.
export OPENBLAS_NUM_THREADS=1
exec {python} -m crystal_search.main boinc answer --home {home}
"""

ASSIMILATING = """#!/bin/sh
# BOINC's assimilator calls: WU_ID FILE..., or --error MASK WU_NAME WU_ID BATCH. It stops when this fails, so this only
# spools, and never fails. A spool that cannot be written is waited for; what is not spooled is computed once more.
spool={incoming}
if [ "${{1:-}}" = --error ]; then
    part="$spool/.error-$4.$$.part"
    printf '%s\\n' "error mask $2, $3, work unit $4, batch $5" >"$part" && mv -f -- "$part" "$spool/error-$4"
    exit 0
fi
number=$1
shift
part="$spool/.$number.$$.part"
for file; do [ -r "$file" ] || exit 0; done
for pause in {pauses}; do
    sleep "$pause"
    mkdir -- "$part" && cp -- "$@" "$part/" && spooled=yes && mv -T -- "$part" "$spool/$number" 2>/dev/null
    rm -rf -- "$part"
    [ -z "${{spooled:-}}" ] || exit 0  # by an earlier call, if not by this one
done
exit 0
"""


def scripts(home: Home, tolerance: float) -> dict[str, str]:
    """Return the text of every script by its name.

    Parameters
    ----------
    tolerance
        By which probabilities of two results may differ. It stands in the script, since who compares results must not
        depend on a file that somebody is typing in.
    """
    words = {
        "home": _quoted(os.path.abspath(home.path)),
        "incoming": _quoted(os.path.abspath(home.incoming)),
        "python": _quoted(sys.executable),
        "socket": Home.answers.below,
        "patience_s": str(ASKED_S),
        "pauses": PAUSES_S,
    }
    return {
        CHECK: ASKING.format(what="check", **words),
        COMPARE: ASKING.format(what=f"compare={tolerance}", **words),
        ANSWER: ANSWERING.format(**words),
        ASSIMILATE: ASSIMILATING.format(**words),
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
