"""Which automatic score of an image people are shown: that of the readout in use for its imager, else the shipped one.

It is chosen whenever scores are read, and never written down: a readout that is put to use or taken out of use changes
what is shown at once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from crystal_search.errors import ModelError
from crystal_search.model import answering
from crystal_search.result import RankedScore
from crystal_search.server.home import Home
from crystal_search.server.imagers import Imagers
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ManualScore, Recipe
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.readouts_in_use import IN_USE, ReadoutInUse, readouts_in_use
from crystal_search.server.services.readout_scores import within_groups

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShownScores:
    """What tells which score is shown; without readouts in use the shipped one is."""

    imagers: Imagers = field(default_factory=Imagers)
    readouts: Mapping[str, ReadoutInUse] = field(default_factory=dict)  #: those in use, by imager

    @property
    def hashes(self) -> frozenset[str]:
        """The readouts in use, to ask the ledger for their scores."""
        return frozenset(each.sha256 for each in self.readouts.values())

    def of(self, drop: DropScores) -> DropScores:
        """Return an image with the score that is shown as its automatic one."""
        if not self.readouts:
            return drop
        shipped, wanted = drop.current, self.readouts.get(self.imagers.of(drop.image))
        if shipped is None or shipped.found.score is None or wanted is None:
            return drop
        for score in reversed(drop.readouts):
            readout = score.recipe.readout
            if readout and readout.sha256 == wanted.sha256 and score.counts and reads(score.recipe, shipped.recipe):
                return replace(drop, auto=beside(shipped, score))
        return drop

    def by(self, drop: DropScores, score: AutoScore | None) -> DropScores:
        """Return an image with a score of a certain recipe as its automatic one, or without any."""
        shipped = drop.current
        if score and shipped and score.recipe.readout and reads(score.recipe, shipped.recipe):
            score = beside(shipped, score)
        return replace(drop, auto=score, readouts=(), postponed=None)

    def in_ledger(self, image: StoredImage, ledger: Sequence[AutoScore | ManualScore]) -> list[AutoScore | ManualScore]:
        """Return an image's scores, those of readouts with what the shipped score beside them tells of the image."""
        machine = [score for score in ledger if isinstance(score, AutoScore) and score.recipe.readout is None]
        return [
            _told_by(machine, score) if isinstance(score, AutoScore) and score.recipe.readout else score
            for score in ledger
        ]


def reads(readout: Recipe, shipped: Recipe) -> bool:
    """Tell whether the scores of a readout's recipe are of the answers of the models of another recipe."""
    return answering(readout.models) == answering(shipped.models)


def _told_by(machine: Sequence[AutoScore], score: AutoScore) -> AutoScore:
    """Return a readout's score with what the last of these tells that it was made of; as it is where there is none."""
    read = (each for each in reversed(machine) if reads(score.recipe, each.recipe) and _same_picture(each, score))
    shipped = next(read, None)
    return beside(shipped, score) if shipped else score


def _same_picture(one: AutoScore, other: AutoScore) -> bool:
    return one.version is None or other.version is None or one.version.sha256 == other.version.sha256


def beside(shipped: AutoScore, readout: AutoScore) -> AutoScore:
    """Return a readout's score with what the shipped one tells of the same image: drop, classes, best chops.

    A readout tells groups apart, not classes: within the shipped score's group its class stays.
    """
    found, said = shipped.found, readout.found.score
    if found.score is None or said is None:
        return readout
    same = found.score.group == said.group
    score = RankedScore(
        outcome=found.score.outcome if same else said.outcome,
        probability=said.probability,
        above_threshold=said.above_threshold,
    )
    shares, means = np.array([readout.found.group_peaks]), np.array([found.class_probabilities])
    told = replace(
        found,
        score=score,
        group_peaks=readout.found.group_peaks,
        class_probabilities=tuple(within_groups(shares, means)[0].round(6).tolist()),
        best_chops=found.best_chops if same else (),
    )
    return replace(readout, found=told, version=shipped.version)


def shown_in(home: Home, imagers: Imagers) -> Callable[[], ShownScores]:
    """Return what tells which scores are shown now: the file of readouts in use is read again when it was changed.

    One that cannot be read is logged, once, and shipped scores are shown.
    """
    known: dict[object, ShownScores] = {}

    def shown() -> ShownScores:
        try:
            status = (home.models / IN_USE).stat()
            stamp = (status.st_ino, status.st_mtime_ns)
        except OSError:
            stamp = (0, 0)
        if stamp not in known:
            known.clear()
            known[stamp] = ShownScores(imagers, _readouts(home))
        return known[stamp]

    return shown


def _readouts(home: Home) -> dict[str, ReadoutInUse]:
    try:
        return readouts_in_use(home)
    except ModelError as error:
        log.error("shipped scores are shown: %s", error)
        return {}
