"""What models say of photographs, beside what is true, and the table of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from crystal_search.direct.scored_files import Job, Scored, scored
from crystal_search.errors import ImageError
from crystal_search.evaluation.bootstrap import Interval, drawn
from crystal_search.evaluation.measuring import group_of
from crystal_search.evaluation.photograph_labels import Label
from crystal_search.evaluation.tables import Cell, Column, Table
from crystal_search.images import decode, to_grey
from crystal_search.metrics import auroc
from crystal_search.outcomes import GROUPS, Group
from crystal_search.unet_drop.regions import overlap

FEW = 20  #: fewer wells are told as counts, for a share would say too much
BRIGHT = 127  #: grey levels of a mask above which there is a drop
ALL_SOURCES = "all"
CRYSTAL = GROUPS.index(Group.CRYSTAL)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A photograph, and what the models say of it."""

    label: Label
    found: Scored
    overlap: float | None  #: intersection over union of the drop's outline and the mask, if there is a mask

    @property
    def readable(self) -> bool:
        """Whether the photograph could be scored."""
        return self.found.score.error is None

    @property
    def crystal_score(self) -> float:
        """How probable a crystal is in the chop that looks most like one, in [0, 1]."""
        return self.found.peaks[CRYSTAL] if self.found.peaks else 0.0

    @property
    def drop_found(self) -> bool:
        """Whether the models see a drop."""
        return self.found.score.drop is not None

    @property
    def called(self) -> Group | None:
        """The group that the models name; None where they see no drop."""
        return group_of(self.found.score.outcome)


def verdicts(labels: Sequence[Label], job: Job, *, workers: int) -> Iterator[Verdict]:
    """Yield what the models of `job` say of each photograph, in order."""
    found = scored((label.path for label in labels), job, workers=workers)
    for label, each in zip(labels, found, strict=True):
        yield Verdict(label, each, _overlap(label, each))


def _overlap(label: Label, found: Scored) -> float | None:
    score = found.score
    if label.mask is None or score.error is not None:
        return None
    try:
        true = to_grey(decode(label.mask.read_bytes()).colour) > BRIGHT
    except ImageError:
        return None
    return overlap(true, _outlined(found, true.shape))


def _outlined(found: Scored, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the drop's outline, filled, at the size of a mask."""
    score = found.score
    if score.drop is None or len(score.drop.outline) < 3:
        return None
    down, across = shape[0] / score.height_px, shape[1] / score.width_px
    picture = Pillow.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(picture).polygon([(column * across, row * down) for row, column in score.drop.outline], fill=1)
    return np.asarray(picture)


COLUMNS = (
    Column("source", "Source"),
    Column("wells", "Wells", "count"),
    Column("drops_found", "Drops found"),
    Column("empty_reported", "Empty wells reported empty"),
    Column("crystals_called", "Crystal wells called crystal"),
    Column("false_crystals", "Other wells called crystal"),
    Column("auroc", "AUROC crystal against no crystal", "number", 3),
    Column("groups_right", "Right group"),
    Column("outcomes_right", "Right outcome"),
    Column("mean_iou", "Mean IoU of drops", "number", 3),
    Column("seconds", "Seconds a well", "number", 3),
    Column("unreadable", "Unreadable", "count"),
)


def real_well_table(found: Sequence[Verdict]) -> Table:
    """Return the table: a row for each source, and one for all if there are several."""
    sources = list(dict.fromkeys(each.label.source for each in found))
    rows = [_row(source, [each for each in found if each.label.source == source]) for source in sources]
    if len(sources) > 1:
        rows.append(_row(ALL_SOURCES, found))
    return Table("real-wells", COLUMNS, tuple(rows))


def _row(source: str, every: Sequence[Verdict]) -> tuple[Cell, ...]:
    found = [each for each in every if each.readable]
    full = [each for each in found if not each.label.empty]
    return (
        source,
        len(every),
        _counted(full, lambda each: each.drop_found),
        _counted([each for each in found if each.label.empty], lambda each: not each.drop_found),
        _counted([each for each in full if each.label.crystal], lambda each: each.called is Group.CRYSTAL),
        _counted([each for each in found if not each.label.crystal], lambda each: each.called is Group.CRYSTAL),
        separation(found),
        _counted([each for each in full if each.label.group], lambda each: each.called is each.label.group),
        _counted([each for each in full if each.label.outcome], lambda e: e.found.score.outcome == e.label.outcome),
        _mean([each.overlap for each in full if each.overlap is not None]),
        _mean([each.found.seconds for each in found]),
        len(every) - len(found),
    )


def _counted(among: Sequence[Verdict], is_so: Callable[[Verdict], bool]) -> str | None:
    """Return for how many it is so, of how many, and the share where they are not few."""
    if not among:
        return None
    count = sum(map(is_so, among))
    share = f" ({100 * count / len(among):.1f} %)" if len(among) >= FEW else ""
    return f"{count} of {len(among)}{share}"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def separation(found: Sequence[Verdict]) -> Interval | None:
    """Return the area under the ROC curve of the crystal score, with its interval; None where a kind is missing."""
    crystal = np.array([each.label.crystal for each in found], np.bool_)
    if not crystal.any() or crystal.all():
        return None
    scores = np.array([each.crystal_score for each in found])
    draws = drawn([each.label.file for each in found])
    return draws.figure(lambda times: auroc(scores, crystal, times))
