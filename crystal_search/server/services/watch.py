"""``crystal-search watch``: the real-time service on one machine.

New images in a robot's folder are imported, scored and shown, without anyone doing anything. Nothing is kept in
this process: killed at any moment, it goes on where it was when it is started again.
"""

import argparse
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from crystal_search.errors import CrystalSearchError, DatabaseError, EngineError
from crystal_search.files import write_whole
from crystal_search.naming import Naming
from crystal_search.server.engines.engine import Engine
from crystal_search.server.facility.facility_settings import read_facility_settings
from crystal_search.server.home import Home
from crystal_search.server.importing.import_command import (
    add_naming_arguments,
    agreed,
    naming_at,
    naming_of,
    progress,
)
from crystal_search.server.importing.import_images import SETTLED_S, ImportReport, Remembered, as_text, import_folder
from crystal_search.server.importing.plan import stay_away
from crystal_search.server.installation import Installation, add_home_argument, opened, recipe_of, renewed, say
from crystal_search.server.interrupts import terminated_as_interrupt
from crystal_search.server.services.create_work import EVERYTHING, Order
from crystal_search.server.services.cycle import cycle, is_finished, keep_going
from crystal_search.server.services.facility_rounds import FacilityRounds
from crystal_search.server.services.kept_process import KeptProcess
from crystal_search.server.services.look_after_imagers import Rounds
from crystal_search.server.services.postponing import number_of
from crystal_search.server.services.readout_offers import OfferRounds
from crystal_search.server.services.reconcile import STRAY, strays_at
from crystal_search.server.settings import MESSAGES, read_toml

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
QUIET_S = 600.0  #: a plate whose highest well did not rise for so long is whole
REST_S = 10.0  #: after the engine broke, before it is tried again
VIEWER_REST_S = 5.0  #: between two starts of the viewer
MESSAGES_EVERY_S = 60.0  #: a look for what is to be told to whoever wants messages
MESSAGES_REST_S = 600.0  #: after a look that could not be begun: a person has to do something, or did it by hand


class Complaints:
    """Says each trouble once, not every second."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def about(self, what: str, trouble: str) -> None:
        """Log `trouble` unless it was the last one about `what`; an empty one means that all is well again."""
        if trouble and trouble != self._last.get(what):
            log.error("%s: %s", what, trouble)
        self._last[what] = trouble


class Backlog:
    """Tells how much is done of what waited, and when the rest will be."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._began_at = clock()
        self._done, self._idle = 0, True

    def begins(self) -> None:
        """Take note that there is work, if nothing was left before."""
        if self._idle:
            self._began_at, self._idle = self._clock(), False

    def said(self, scored: int, left: int) -> str:
        """Return what people read when `scored` images more are done and `left` are to do.

        >>> backlog = Backlog(iter([0.0, 60.0]).__next__)
        >>> backlog.said(16, 32).partition(", done")[0]
        'scored 16 of 48'
        """
        self._done += scored
        text = f"scored {self._done} of {self._done + left}"
        if not left:
            self._done, self._idle = 0, True
            return text
        ends_at = self._clock()
        ends_at += left * (ends_at - self._began_at) / self._done
        return f"{text}, done about {time.strftime('%H:%M', time.localtime(ends_at))}"


class Inbox:
    """The folder that is looked at, and what was found out about it so far."""

    def __init__(self, site: Installation, folder: Path, naming: Naming) -> None:
        self._site, self._folder, self._naming = site, folder, naming_at(site, naming)
        self._memory = Remembered()
        self._told: set[str] = set()
        self._stay_away = 0

    def begin(self) -> None:
        """Import what lies there already, so that the viewer has it from the start."""
        self.look()
        if self._memory.looks:
            time.sleep(SETTLED_S)
            self.look()

    def look(self) -> ImportReport:
        """Import the images that are new and complete."""
        found = import_folder(
            self._folder,
            self._site.imaging,
            self._naming,
            settled_seconds=SETTLED_S,
            quiet_seconds=QUIET_S,
            remembered=self._memory,
            leave_out=[self._site.home.path],
        )
        for line in progress(found.sessions, self._site.imaging):
            say(f"{time.strftime('%H:%M:%S')} {line}")
        left_out = {*found.conflicts, *found.unmatched}
        if new := sorted(left_out - self._told):
            log.warning("left out: %d\n  %s", len(new), as_text("\n  ".join(new)))
        self._told = left_out
        if found.removed > self._stay_away:
            say(stay_away(found.removed))
        self._stay_away = found.removed
        return found


def kept_viewer(site: Installation, port: int) -> KeptProcess:
    """Return the viewer, which is started again when it dies, but not when it cannot be started at all."""
    words = ["view", "--home", str(site.home.path), "--port", str(port)]
    return KeptProcess(words, rest_s=VIEWER_REST_S, rest_after_usage_s=float("inf"))


def kept_messages(site: Installation) -> KeptProcess | None:
    """Return what sends messages now and then; None where the settings do not say how.

    What a run did not send when it was stopped goes with the next.
    """
    if MESSAGES not in read_toml(site.home.settings, "key", None):
        return None
    words = ["messages", "send", "--home", str(site.home.path)]
    rests = {"rest_s": MESSAGES_EVERY_S, "rest_after_usage_s": MESSAGES_REST_S}
    return KeptProcess(words, **rests, ends_by_itself=True)


def watch(
    site: Installation,
    engine: Engine,
    look: Callable[[], ImportReport],
    beside: Mapping[str, KeptProcess],
    *,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Import, score and publish for good; end with KeyboardInterrupt, which `check` raises when it is time."""
    complaints = Complaints()
    one_pass = _scoring(site, engine, complaints)
    rounds, offered = Rounds(site), OfferRounds(site)
    facility = FacilityRounds(site, read_facility_settings(site.home.settings))
    while True:
        check()
        began = time.monotonic()
        for name, process in beside.items():
            complaints.about(name, _trouble(process.look_after))
        complaints.about("import", _trouble(look))
        complaints.about("facility", facility.look())
        complaints.about("score", noted(site.home, _trouble(one_pass)))
        complaints.about("imagers", _trouble(lambda: complaints.about("imager", "; ".join(rounds.look()))))
        complaints.about("offers", _trouble(lambda: say_all(offered.look())))
        pause = max(LOOK_EVERY_S, 2 * (time.monotonic() - began))
        if _trouble(partial(keep_going, site, engine, until=began + pause)):
            time.sleep(LOOK_EVERY_S)


def _scoring(site: Installation, engine: Engine, complaints: Complaints) -> Callable[[], None]:
    """Return a pass of scoring, to be taken again and again.

    Raises
    ------
    ModelError
        If there is trouble with the models, so that it ends the service before it begins.
    """
    recipe, order, backlog = renewed(site.home, lambda: recipe_of(site)), _order(site), Backlog()
    recipe()

    def one_pass() -> None:
        done, scores = cycle(site, recipe(), engine, order)
        put_off = _complained(site, complaints)
        if scores.new:
            # not all that are counted wait: those that this recipe scored before another one are not scored again
            left = 0 if is_finished(site, done) else max(0, site.imaging.count_to_score(recipe()) - put_off)
            say_all([backlog.said(scores.new, left)])
        if done.created.units:
            backlog.begins()
        complaints.about("set", "; ".join(scores.waiting))

    return one_pass


def _order(site: Installation) -> Order:
    """Return what is packed: fresh images, where clients are here, when there is somebody to score them."""
    if not site.engine.clients_here:
        return EVERYTHING
    return Order(max_queue=min(site.settings.max_queue, 2 * site.settings.worker_count + 2))


def say_all(lines: Iterable[str]) -> None:
    """Tell the person at the keyboard several things, each on a line with the time."""
    for line in lines:
        say(f"{time.strftime('%H:%M:%S')} {line}")


def noted(home: Home, trouble: str) -> str:
    """Keep what is the trouble in the home for `status` to tell, until there is none, and return it."""
    try:
        if trouble:
            write_whole(home.trouble, trouble + "\n")
        else:
            home.trouble.unlink(missing_ok=True)
    except OSError as error:  # a full disk may be the trouble
        log.debug("%s cannot be noted: %s", home.trouble, error)
    return trouble


def _beside(site: Installation, port: int | None) -> dict[str, KeptProcess]:
    """Return what runs beside the service; the viewer only on a `port`."""
    kept = {"viewer": None if port is None else kept_viewer(site, port), "messages": kept_messages(site)}
    return {name: process for name, process in kept.items() if process}


def _begun(inbox: Inbox) -> None:
    """Import what lies there; a database or a share that is away for a moment is no reason not to begin."""
    try:
        inbox.begin()
    except (DatabaseError, OSError) as error:
        log.error("import: %s", error)


def _complained(site: Installation, complaints: Complaints) -> int:
    """Say what holds images up, and name what is no work unit; return how many images are put off."""
    for path in strays_at(site):
        complaints.about(f"stray {path}", f"{path} {STRAY}")
    waiting = site.imaging.postponed()
    for each in waiting:
        complaints.about(each.reason, number_of(each))
    return sum(each.images for each in waiting)


def _trouble(step: Callable[[], object]) -> str:
    """Take a step and return what went wrong that may go right the next time; empty when nothing did.

    A fault of this program is trouble like any other, but its traceback comes with it: a service that ended would
    leave everything else undone, too.
    """
    try:
        step()
    except EngineError as error:
        time.sleep(REST_S)
        return str(error)
    except (CrystalSearchError, OSError) as error:
        return str(error) or repr(error)
    except Exception:
        return f"this program is at fault\n{traceback.format_exc()}"
    return ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("folder", type=Path, help="the robot's folder")
    add_home_argument(parser)
    add_naming_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="ask nothing, whatever the files are called")
    parser.add_argument("--no-view", action="store_true", help="do not serve the viewer")
    parser.add_argument("--port", type=int, default=8765, help="of the viewer (default %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Watch until SIGTERM or Ctrl-C."""
    with terminated_as_interrupt() as ending, opened(arguments.home) as site:
        naming = agreed(site, arguments.folder, naming_of(arguments), yes=arguments.yes)
        inbox = Inbox(site, arguments.folder, naming)
        with site.started_engine() as engine:
            beside = _beside(site, None if arguments.no_view else arguments.port)
            say(f"watching {arguments.folder}; Ctrl-C ends")
            try:
                _begun(inbox)
                watch(site, engine, inbox.look, beside, check=ending.check)
            except KeyboardInterrupt:
                say("stopped; what is not done yet goes on with the next start")
            finally:
                for process in reversed(beside.values()):
                    process.close()
