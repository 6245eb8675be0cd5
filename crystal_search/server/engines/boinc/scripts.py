"""The scripts in a project's ``bin``, which its daemons call or start; `install` writes them."""

import os
import shutil
import sys

from crystal_search.server.engines.boinc.project import APP
from crystal_search.server.home import Home

CHECK, COMPARE, ASSIMILATE, ANSWER = (f"{APP}_{what}" for what in ("check", "compare", "assimilate", "answer"))
ALONE = "_alone"  #: ends the names of the scripts that answer without the daemon
ASKED_S = 2  #: after which a script waits no longer for the daemon that answers
PAUSES_S = "0 1 5 30 60 120 300"  #: before each try without the daemon; after the last there is no answer

#: In Perl, which starts ten times as fast as Python while it loads no module: hence 1 for AF_UNIX and SOCK_STREAM.
ASKING = """#!{perl}
# BOINC's validator asks here: exit code 0 valid, 1 invalid. The daemon answers in a few ms. When there is no clear
# answer of it, the script beside this one finds out by a Python of its own.
opendir my $here, ".";
my $answer = eval {{
    local $SIG{{ALRM}} = sub {{ die }};
    local $SIG{{PIPE}} = "IGNORE";
    alarm {patience_s};
    chdir {home} or die;  # the name of a socket has at most 107 bytes, a path from here may have more
    socket my $daemon, 1, 1, 0 or die;
    connect $daemon, pack("Sa*", 1, "{socket}") or die;
    syswrite $daemon, join("\\0", "{what}", {home}, @ARGV);
    shutdown $daemon, 1;
    join "", <$daemon>;
}};
alarm 0;
exit 0 if $answer eq "valid\\n";
if ($answer =~ /^refused /) {{ print STDERR $answer; exit 1 }}
my $other = "${{0}}{alone}";
chdir $here and exec {{$other}} $other, @ARGV;
exit 3;
"""

FINDING_OUT = """#!/bin/sh
# Answers BOINC's validator when the daemon does not: exit code 0 valid, 3 no answer, all others invalid. At no answer
# it has one more host do the work, also when a single result is checked; so faults of this installation are waited out
# for some minutes.
export OPENBLAS_NUM_THREADS=1  # threads that nothing here needs take half of the time
for pause in {pauses}; do
    sleep "$pause"
    {python} -m crystal_search.server.boinc.checking {what} {home} "$@"
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
    here, perl = os.path.abspath(home.path), shutil.which("perl")
    words = {
        "home": _quoted(here),
        "incoming": _quoted(os.path.abspath(home.incoming)),
        "python": _quoted(sys.executable),
        "pauses": PAUSES_S,
    }
    questions = {CHECK: "check", COMPARE: f"compare={tolerance}"}
    alone = {name: FINDING_OUT.format(what=what, **words) for name, what in questions.items()}
    asking = {name: _asking(perl, here, what) for name, what in questions.items()} if perl else alone
    return {
        **asking,
        **{name + ALONE: text for name, text in alone.items()},
        ANSWER: ANSWERING.format(**words),
        ASSIMILATE: ASSIMILATING.format(**words),
    }


def _asking(perl: str, here: str, what: str) -> str:
    quoted = "'" + here.replace("\\", "\\\\").replace("'", "\\'") + "'"
    socket = Home.answers.below
    return ASKING.format(perl=perl, home=quoted, what=what, socket=socket, patience_s=ASKED_S, alone=ALONE)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
