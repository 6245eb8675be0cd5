"""``crystal-search panel``: have experts look blind at the same images, and tell how far they agree (docs/panel.md)."""

import argparse
import logging
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count
from crystal_search.errors import UserError
from crystal_search.files import clear_parts
from crystal_search.server.installation import opened, say
from crystal_search.server.locks import FileLock
from crystal_search.viewer.guard import LOOPBACK_NAMES
from crystal_search.viewer.serve import add_address_arguments, answered_to, listen, serve_app

if TYPE_CHECKING:
    from crystal_search.panel.machine_answers import MachineAnswers
    from crystal_search.panel.panel_set import PanelSet
    from crystal_search.panel.time_courses import Drawn

log = logging.getLogger(__name__)

IMAGES, INSPECTIONS = 1000, "2-7"  #: of the paper
REPEATED = 10  #: one image in so many is shown twice, unless --repeats says otherwise
LOCK = ".serving"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_draw(commands.add_parser("draw", help="draw the images of a new panel", allow_abbrev=False))
    invited = commands.add_parser("invite", help="give experts a link", allow_abbrev=False)
    invited.add_argument("folder", type=Path, help="folder of the panel")
    invited.add_argument("names", nargs="+", metavar="NAME", help="of an expert")
    invited.set_defaults(run=_invite)
    served = commands.add_parser("serve", help="serve the experts' pages", allow_abbrev=False)
    served.add_argument("folder", type=Path, help="folder of the panel")
    add_address_arguments(served)
    served.set_defaults(run=_serve)
    _add_report(commands.add_parser("report", help="tell how far experts and models agree", allow_abbrev=False))


def _add_draw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the panel; must not be there yet")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--home", type=Path, help="the installation to draw from (default: crystal-search-data)")
    source.add_argument("--scores", type=Path, nargs="+", metavar="CSV", help="lists of scores to draw from instead")
    parser.add_argument("--count", type=count, default=IMAGES, help="how many images (default: %(default)s)")
    parser.add_argument("--inspection-range", default=INSPECTIONS, metavar="FROM-TO", help="default: %(default)s")
    parser.add_argument("--repeats", type=int, help="how many are shown twice (default: one in ten)")
    parser.add_argument("--name", default="Expert panel", help="what the experts read above the images")
    parser.add_argument("--seed", type=int, default=0, help="of the random choice (default: %(default)s)")
    parser.add_argument("--experts", nargs="+", default=[], metavar="NAME", help="who is to look at them")
    parser.set_defaults(run=_draw)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of the panel")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report; must not be there yet")
    parser.add_argument("--home", type=Path, help="the installation whose ledger has the scores of models")
    parser.add_argument(
        "--model-scores",
        action="append",
        default=[],
        metavar="NAME=CSV",
        help="a model's list of scores; several times",
    )
    parser.add_argument("--experts", nargs="+", metavar="NAME", help="whose answers count (default: all)")
    parser.set_defaults(run=_report)


def inspections_in(text: str) -> range:
    """Return the inspections from one to another, both included.

    Raises
    ------
    UserError
        If that is no such range.

    >>> inspections_in("2-7")
    range(2, 8)
    """
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not found or int(found[1]) > int(found[2]):
        raise UserError(f"--inspection-range {text!r}: expected two numbers such as {INSPECTIONS}")
    return range(int(found[1]), int(found[2]) + 1)


def _draw(arguments: argparse.Namespace) -> None:
    from crystal_search.panel.drawing_panel import make_panel
    from crystal_search.panel.experts import invite, named

    names = list(map(named, arguments.experts))
    if not 0 <= (arguments.repeats or 0) <= arguments.count:
        raise UserError(f"--repeats {arguments.repeats}: expected 0 to {arguments.count}, the number of images")
    drawn = _drawn(arguments)
    repeats = len(drawn.images) // REPEATED if arguments.repeats is None else arguments.repeats
    panel = make_panel(arguments.out, arguments.name, drawn.images, seed=arguments.seed, repeats=repeats)
    invite(arguments.out, names)
    _say_drawn(panel, drawn)
    say(f"serve it: crystal-search panel serve {shlex.quote(str(arguments.out))}")


def _drawn(arguments: argparse.Namespace) -> "Drawn":
    from crystal_search.panel.time_courses import drawn_set, in_database, in_lists

    inspections = inspections_in(arguments.inspection_range)
    if arguments.scores:
        seen = in_lists(arguments.scores)
        return drawn_set(seen, count=arguments.count, inspections=inspections, seed=arguments.seed)
    with opened(arguments.home, create=False) as installation:
        seen = in_database(installation.imaging)
        return drawn_set(seen, count=arguments.count, inspections=inspections, seed=arguments.seed)


def _say_drawn(panel: "PanelSet", drawn: "Drawn") -> None:
    say(f"{len(panel.images)} images, each of another of {drawn.courses} drops; {panel.repeats} are shown twice")
    for name, there in drawn.available.items():
        say(f"{sum(each.drawn_as == name for each in panel.images):6}  {name}, of {there}")


def _invite(arguments: argparse.Namespace) -> None:
    from crystal_search.panel.experts import invite
    from crystal_search.panel.panel_set import read_set

    read_set(arguments.folder)
    invite(arguments.folder, arguments.names)
    say(f"their links are printed by: crystal-search panel serve {shlex.quote(str(arguments.folder))}")


def _serve(arguments: argparse.Namespace) -> None:
    from crystal_search.panel.experts import read_experts
    from crystal_search.panel.panel_app import panel_app
    from crystal_search.panel.panel_set import read_set

    folder, panel = arguments.folder, read_set(arguments.folder)
    alone = arguments.host in LOOPBACK_NAMES and not arguments.allow_host
    with FileLock(folder / LOCK, "the service of this panel"), closing(listen(arguments.host, arguments.port)) as at:
        clear_parts(folder)
        names = answered_to(at, arguments.host, arguments.allow_host)
        app = panel_app(folder, panel, names=names, open_to_names=alone)

        def ready(address: str) -> None:
            say(f"panel: {address}" + (" (type your name there)" if alone else ""))
            for each in read_experts(folder):
                say(f"{each.name}: {address}expert/{each.token}/")

        serve_app(app, at, ready)


def _report(arguments: argparse.Namespace) -> None:
    from crystal_search.panel.consensus import opinions_of
    from crystal_search.panel.experts import sheets_of
    from crystal_search.panel.panel_report import findings, sentences, write_report
    from crystal_search.panel.panel_set import read_set

    panel = read_set(arguments.folder)
    sheets = [each for each in sheets_of(arguments.folder, panel) if each.answers]
    known = [each.expert.name for each in sheets]
    if unknown := [name for name in arguments.experts or () if name not in known]:
        raise UserError(f"{', '.join(unknown)} answered nothing; those who did: {', '.join(known) or 'nobody'}")
    chosen = [each for each in sheets if each.expert.name in (arguments.experts or known)]
    found = findings(panel, opinions_of(chosen, len(panel.images)), _machines(arguments, panel))
    page = write_report(found, arguments.folder, arguments.out, shlex.join(["crystal-search", *sys.argv[1:]]))
    for sentence in sentences(found):
        say(sentence)
    say(f"open {page} in a browser")


def _machines(arguments: argparse.Namespace, panel: "PanelSet") -> "Sequence[MachineAnswers]":
    from crystal_search.panel.machine_answers import in_ledger, in_list

    found: list[MachineAnswers] = []
    if arguments.home is not None:
        with opened(arguments.home, create=False) as installation:
            found += in_ledger(installation.imaging, panel)
    for text in arguments.model_scores:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UserError(f"--model-scores {text!r}: expected a name and a file, such as ours=scores.csv")
        found.append(in_list(name, Path(path), arguments.folder, panel))
    return found
