"""``crystal-search run``: the main job, from the demo plate's images to coloured frames in the viewer."""

import argparse
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from crystal_search.demo.bars import Bar, score_with_bars
from crystal_search.demo.truth import NAMING, agreement, plate_folder, read_truth, table
from crystal_search.name_parts import ReadName
from crystal_search.robot_names import read_name
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, Ledger
from crystal_search.server.importing.import_images import import_folder
from crystal_search.server.installation import Installation, add_home_argument, opened, recipe_of, say
from crystal_search.server.interrupts import terminated_as_interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one run did."""

    imported: int
    scored: int
    seconds: float  #: from packing to scores in the ledger

    @property
    def sentence(self) -> str:
        """The run for people."""
        if not self.scored:
            return "everything was scored before; nothing was scored twice"
        return f"scored {self.scored} wells in {self.seconds:.1f} s: {self.scored / self.seconds:.2f} wells per second"


def score_plate(site: Installation, folder: Path) -> Done:
    """Import the images in `folder` and take everything that has no score to the ledger."""
    images = len(read_truth(folder))
    with Bar("import", images) as importing:
        report = import_folder(folder, site.imaging, NAMING)
        importing.add(report.added + report.known + len(report.conflicts))
    if report.conflicts:
        count, first = len(report.conflicts), report.conflicts[0]
        say(f"{count} images are known from another folder and stay there; the first: {first}")
    began = time.monotonic()
    with LocalEngine(site.home, site.settings, site.models) as engine:
        scores = score_with_bars(site, recipe_of(site), engine)
    for refused in scores.refused:
        say(f"left out: {refused}")
    return Done(imported=report.added, scored=scores.new, seconds=time.monotonic() - began)


def plate_scores(imaging: Ledger, folder: Path) -> dict[str, AutoScore]:
    """Return the newest automatic score of each file in `folder`, by file name.

    Plate and file name tell which image it is: the folder may have been elsewhere when it was imported.
    """
    names = {file: read_name(str(folder.absolute() / file), NAMING) for file in read_truth(folder)}
    barcodes = {name.plate for name in names.values() if isinstance(name, ReadName)}
    scores: dict[str, AutoScore] = {}
    for plate in imaging.plates():
        for inspection in plate.inspections if plate.plate in barcodes else ():
            for drop in imaging.drops(plate.plate, inspection=inspection):
                name = Path(drop.image.path).name
                if drop.auto and name in names:
                    scores[name] = drop.auto
    return scores


def summary(site: Installation, folder: Path, done: Done) -> str:
    """Return what people want to know at the end."""
    truth, scores = read_truth(folder), plate_scores(site.imaging, folder)
    failed = [f"{unit.name} failed: {unit.reason.partition(chr(10))[0]}" for unit in site.imaging.units("failed")]
    rows = agreement(truth, scores)
    groups, classes = sum(row.right_group for row in rows), sum(row.right_class for row in rows)
    return "\n".join(
        [
            "",
            done.sentence,
            f"demo plate: {len(scores)} of {len(truth)} wells have a score; with the known outcome agree",
            f"  {groups / len(truth):.1%} in the group (crystal, precipitate, other, clear)",
            f"  {classes / len(truth):.1%} in the class (one of 13)",
            f"unsure of {sum(row.unsure for row in rows)}: no group reached the threshold; the likeliest is counted",
            "",
            table(rows),
            *failed,
            "",
        ]
    )


def view_line(home: Home) -> str:
    """Return the line that serves the viewer of `home`, to be typed in any folder."""
    return command_line("view", home)


def command_line(command: str, home: Home) -> str:
    """Return the line that runs a command for `home`, to be typed in any folder, also where no path leads to us."""
    program = Path(sys.executable).with_name("crystal-search")
    words = [str(program)] if program.exists() else [sys.executable, "-m", "crystal_search.main"]
    return shlex.join([*words, *command.split(), "--home", str(home.path.absolute())])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--serve", choices=("yes", "no"), default="yes", help="serve the viewer at the end")
    parser.add_argument("--port", type=int, default=8765, help="of the viewer (default %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Score the demo plate, print the summary, serve the viewer."""
    folder = plate_folder()
    with terminated_as_interrupt(), opened(arguments.home) as site:
        say(summary(site, folder, score_plate(site, folder)))
    if arguments.serve == "yes":
        from crystal_search.viewer.serve import serve

        say("Ctrl-C ends the viewer")
        serve(Home.at(arguments.home), port=arguments.port)
    else:
        say(f"to see the plate: {view_line(Home.at(arguments.home))}")
