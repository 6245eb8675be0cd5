"""``crystal-search score``: any images or folders, one CSV row for each, no database.

A single image is told at the keyboard.
"""

import argparse
import codecs
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from crystal_search.adaptation.rescoring import NOTHING
from crystal_search.arguments import count, fraction, micrometres, probability
from crystal_search.columns import plain
from crystal_search.direct.as_installed import Installed, as_installed, models_in
from crystal_search.direct.file_scales import scales_of
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.rescored_files import READOUT_COLUMNS, rescored_rows, used_readout
from crystal_search.direct.scored_files import (
    COLUMNS,
    NOT_SCORED,
    Job,
    Scored,
    csv_row,
    make_folder,
    scored,
)
from crystal_search.errors import ImageError, UserError
from crystal_search.files import whole_file
from crystal_search.hostile_json import printable
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard, FirstLookCard, ModelCard
from crystal_search.named_models import Known, card_called
from crystal_search.outcomes import THRESHOLD, UNSURE
from crystal_search.processes import processors
from crystal_search.work_unit import CRYSTALS_FROM, Parameters

NAMED = 5  #: files with a trouble that are told at the most
WIDEST = max(map(len, READOUT_COLUMNS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="images, or folders of images")
    parser.add_argument("--csv", type=Path, help="where to write one row for every input; a single one can do without")
    parser.add_argument("--overlays", type=Path, metavar="DIR", help="write a picture with coloured frames for each")
    _add_model_arguments(parser)
    parser.add_argument("--threshold", type=fraction, help=f"default: the installation's, else {THRESHOLD}")
    parser.add_argument("--scoring", choices=("dense", "windowed"), default="dense", help="default: %(default)s")
    parser.add_argument("--no-drop", choices=("stop", "whole_image"), default="stop", help="where no drop is found")
    parser.add_argument(
        "--crystals-from",
        type=probability,
        metavar="PROBABILITY",
        help="of the crystal group, in the best chop to search, around a crystal to count it (default: the "
        f"installation's, else {CRYSTALS_FROM})",
    )
    parser.add_argument(
        "--um-per-px",
        type=micrometres,
        metavar="UM",
        help="micrometres a stored pixel (default: settings, else the file)",
    )
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")
    parser.set_defaults(writes=("csv",))


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which models score."""
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument("--home", type=Path, metavar="DIR", help="an installation, to score as it does")
    parser.add_argument(
        "--readout",
        metavar="CARD_OR_NAME",
        help="a readout of this imager, made by adapt: its scores beside",
    )
    parser.add_argument(
        "--detector", metavar="CARD_OR_NAME", help="a crystal detector's card or name: counts crystals, too"
    )
    parser.add_argument(
        "--first-look",
        metavar="CARD_OR_NAME",
        help="a model that looks at fewer pixels first, and leaves to the classifier what it doubts",
    )


def run(arguments: argparse.Namespace) -> None:
    """Score the images and write the CSV file, whole or not at all.

    Raises
    ------
    UserError
        If there is nothing to score, no installation to score as, or the CSV file cannot be written.
    ImageError
        If not one image could be scored, or some files could not be looked at; the CSV file tells which, and why.
    """
    paths = once(inputs(arguments.images))
    if not arguments.csv and len(paths) > 1:
        raise UserError(f"{len(paths)} images need --csv FILE, which gets one row for each")
    installed = as_installed(arguments.home, models=arguments.models)
    job = job_of(arguments, installed)
    looks = models_in(job.models, job.named).looks  # an error here, not in each worker
    used = None if arguments.readout is None else used_readout(arguments.readout, installed.at_hand, looks)
    if job.overlays:
        make_folder(job.overlays)
    tally = _Tally()
    found = tally.counting(_found(paths, job, arguments.workers))
    rows = rescored_rows(found, used, tally.answers) if used else map(csv_row, found)
    if arguments.csv:
        _write(arguments.csv, READOUT_COLUMNS if used else COLUMNS, rows)
        sys.stdout.write(f"{tally.told}\n{arguments.csv}\n")
    else:
        _show(rows)
    tally.tell_troubles()
    if not tally.scored:
        raise ImageError("not one image could be scored")
    if tally.not_read:
        raise ImageError(f"{tally.not_read} of {len(paths)} were not scored, since they could not be looked at")


def job_of(arguments: argparse.Namespace, installed: Installed) -> Job:
    """Return how to score; what options do not say is as installed."""
    settings, least = installed.settings, arguments.crystals_from
    parameters = Parameters(
        threshold=arguments.threshold or settings.threshold,
        scoring=arguments.scoring,
        no_drop=arguments.no_drop,
        crystals_from=settings.crystals_from if least is None else least,
    )
    return Job(
        models=installed.models,
        parameters=parameters,
        overlays=arguments.overlays,
        named=tuple(_cards_named(arguments, installed.at_hand)),
        scales=scales_of(arguments.um_per_px, settings),
    )


def _cards_named(arguments: argparse.Namespace, known: Known) -> Iterator[Path]:
    """Yield the cards of models that are named, each of which plays the role that its option says."""
    kinds: tuple[tuple[str | None, type[ModelCard]], ...] = (
        (arguments.detector, CrystalCard),
        (arguments.first_look, FirstLookCard),
    )
    for name, kind in kinds:
        if name is not None:
            path = card_called(name, known, kind)
            in_role(read_model(path), kind)
            yield path


def _found(paths: list[Path], job: Job, workers: int) -> Iterable[Scored]:
    found = scored(paths, job, workers=min(workers, len(paths)))
    return tqdm(found, total=len(paths), desc="score", unit="image", disable=not sys.stderr.isatty())


class _Tally:
    """What is remembered of images that were scored: how many got what, and the first few troubles of each kind."""

    def __init__(self) -> None:
        self.scored = 0
        self.answers: Counter[str] = Counter()  #: of a readout
        self._outcomes: Counter[str] = Counter()
        self._troubles: dict[str, list[str]] = {"scored": [], "written": []}
        self._more: Counter[str] = Counter()

    def counting(self, found: Iterable[Scored]) -> Iterator[Scored]:
        """Yield what was found, and remember of it."""
        for each in found:
            self._outcomes[UNSURE if each.score.counted_as == UNSURE else each.outcome] += 1
            if each.score.error is None:
                self.scored += 1
            else:
                self._remember("scored", f"{each.path}: {each.score.error}")
            if each.overlay_error:
                self._remember("written", each.overlay_error)
            yield each

    def _remember(self, kind: str, trouble: str) -> None:
        if len(self._troubles[kind]) < NAMED:
            self._troubles[kind].append(printable(trouble))
        else:
            self._more[kind] += 1

    @property
    def not_read(self) -> int:
        """How many could not be looked at, which says nothing about what they show."""
        return self._outcomes[NOT_SCORED]

    @property
    def told(self) -> str:
        """How many got which outcome."""
        images = self._outcomes.total()
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self._outcomes.items()))
        told = f"{images} {'image' if images == 1 else 'images'}: {counts}"
        if not self.answers:
            return told
        look, no_look, unknown = (self.answers[answer] for answer in ("in", "out", NOTHING))
        return f"{told}\nby the readout: {look} to look at, {no_look} need no look, of {unknown} nothing is promised"

    def tell_troubles(self) -> None:
        """Name what could not be scored or written."""
        for kind, troubles in self._troubles.items():
            more = [f"{self._more[kind]} more"] if self._more[kind] else []
            sys.stderr.writelines(f"could not be {kind}: {each}\n" for each in (*troubles, *more))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write the rows, whole or not at all."""
    try:
        with whole_file(path) as file:
            writer = csv.DictWriter(codecs.getwriter("utf-8")(file, "surrogateescape"), columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _show(rows: Iterable[Mapping[str, str]]) -> None:
    """Print the columns that say something."""
    for row in rows:
        for column, cell in row.items():
            if cell:
                sys.stdout.write(f"{column:{WIDEST}}  {printable(plain(cell))}\n")
