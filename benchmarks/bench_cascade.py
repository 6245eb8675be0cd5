"""What a first look at fewer pixels would save: ``python -m benchmarks.bench_cascade --data DATASET [CARD]``.

Rendered wells are scored twice: by a first look, and by the classifier in use. Where the first look is in doubt, the
classifier's score would count, and its time too. One thread, CPU time from the decoded image to the score. Without CARD
the first look is the classifier in use at half its width. With the card of a first look its own limit of doubt comes
first, and what an archive costs by it beside the paper's way, from the bytes of the well of `benchmarks.bench_scoring`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_scoring import DRAWN, DROP_PX
from benchmarks.paper_way import padded_twin, paper_probabilities
from benchmarks.table import Row, table
from benchmarks.wells import drawn_jpeg
from crystal_search.bootstrap import Interval, drawn
from crystal_search.datasets.packed import open_dataset
from crystal_search.evaluation.known_images import KnownImage, dataset_truth
from crystal_search.group_rule import doubt_of, winning_group
from crystal_search.images import WORKING_WIDTH_PX, DecodedImage, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.metrics import Floats, auroc_by_weights
from crystal_search.model import Model, default_model, in_role, read_model
from crystal_search.model_card import ClassifierCard, DropCard, FirstLookCard
from crystal_search.outcomes import GROUPS, THRESHOLD, Group
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, first_opinion, loaded, score_data
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.work_unit import Parameters

#: How often an archive holds each group. Wells that are rendered are weighed so; they hold crystals far more often.
ARCHIVE = {Group.CRYSTAL: 0.07, Group.PRECIPITATE: 0.35, Group.OTHER: 0.08, Group.CLEAR: 0.5}
LIMITS = (1.0, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)  #: of doubt, above which there is a second look
WANTED_S = 0.1  #: CPU time of a well of an archive, at most
WANTED_RATIO = 50  #: of the paper's way over that, at least
CRYSTAL = GROUPS.index(Group.CRYSTAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one classifier says of a well."""

    group: int  #: by the ranked score, in `GROUPS` order
    peaks: tuple[float, ...]  #: of the groups
    cpu_s: float  #: the drop located before, not counted
    above_threshold: bool = True

    @property
    def doubt(self) -> float:
        """How far it is from being sure, in [0, 1], as `group_rule.doubt_of`."""
        return doubt_of(GROUPS[self.group], self.peaks, above_threshold=self.above_threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Well:
    """A rendered well with both looks."""

    group: int  #: that is true, in `GROUPS` order
    first: Look
    second: Look
    before_s: float  #: CPU time to locate the drop


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Wells of which some get a second look."""

    wells: Sequence[Well]
    limit: float  #: of doubt, above which one gets it; at 0 all do

    @property
    def again(self) -> NDArray[np.bool_]:
        """Which wells are looked at twice, (wells,)."""
        return np.array([well.first.doubt > self.limit or self.limit <= 0 for well in self.wells])

    @property
    def looks(self) -> list[Look]:
        """The look that counts, well by well."""
        return [well.second if again else well.first for well, again in zip(self.wells, self.again, strict=True)]

    @property
    def right(self) -> Floats:
        """Whether each well falls into its group, (wells,)."""
        pairs = zip(self.wells, self.looks, strict=True)
        return np.array([look.group == well.group for well, look in pairs], np.float64)

    @property
    def cpu_s(self) -> Floats:
        """CPU time of each well, (wells,)."""
        pairs = zip(self.wells, self.again, strict=True)
        return np.array([well.before_s + well.first.cpu_s + again * well.second.cpu_s for well, again in pairs])


def in_archive(wells: Sequence[Well]) -> Floats:
    """Return how much each well counts, (wells,), for the groups to be as frequent as in `ARCHIVE`; 1 in the mean."""
    groups = np.array([well.group for well in wells])
    shares = np.bincount(groups, minlength=len(GROUPS)) / len(groups)
    wanted = np.array([ARCHIVE[group] for group in GROUPS]) * (shares > 0)
    return np.asarray((wanted / np.where(shares > 0, shares, 1) / wanted.sum())[groups])


def looked(image: DecodedImage, models: Models, before_s: float) -> tuple[Look, ImageScore]:
    """Return what models say of an image, `before_s` taken off the time, and the score."""
    start = time.process_time()
    score = first_opinion(image, models, Parameters())
    cpu_s = time.process_time() - start - before_s
    if score.score is None:
        return Look(group=-1, peaks=(), cpu_s=cpu_s), score
    group, above_threshold = winning_group(score.group_peaks, score.class_probabilities, THRESHOLD)
    found = Look(group=GROUPS.index(group), peaks=score.group_peaks, cpu_s=cpu_s, above_threshold=above_threshold)
    return found, score


def wells_of(images: Iterable[KnownImage], first: Models, second: Models) -> Iterator[Well]:
    """Yield the wells with a drop that is found, each looked at twice."""
    for known in images:
        if known.group is None:
            continue
        image = known.image(WORKING_WIDTH_PX)
        start = time.process_time()
        locate_drop(to_grey(image.colour), first.drop)
        before_s = time.process_time() - start
        looks = [looked(image, models, before_s) for models in (first, second)]
        if all(score.score for _, score in looks):
            truth = GROUPS.index(known.group)
            yield Well(group=truth, first=looks[0][0], second=looks[1][0], before_s=before_s)


def beside_the_paper(first: Model[FirstLookCard], share: float, repeats: int = 5) -> Iterator[Row]:
    """Yield what a well of an archive costs both ways, of which `share` are looked at twice, in turns, one thread."""
    usual, drop = default_model(ClassifierCard), default_model(DropCard)
    alone, both = (
        loaded([usual, drop, replace(first, card=replace(first.card, most_doubt=doubt))]) for doubt in (1.0, -1.0)
    )
    twins = Models(OnnxNetwork(padded_twin(usual)), both.drop)
    data = drawn_jpeg(drop_px=DROP_PX)
    usually = replace(both, first_look=None)
    ways: dict[str, Callable[[], object]] = {
        "usual": lambda: score_data(data, usually, Parameters()),
        "first": lambda: score_data(data, alone, Parameters()),
        "both": lambda: score_data(data, both, Parameters()),
        "paper": lambda: paper_probabilities(data, twins, DRAWN, width_px=None),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for way in [*ways] * repeats:
        start = time.process_time()
        ways[way]()
        times[way].append(time.process_time() - start)
    usual_s, one_s, two_s, paper_s = (float(np.median(each)) for each in times.values())
    mean_s = (1 - share) * one_s + share * two_s
    yield Row("one well from its bytes: first look alone, both looks, the paper's way", _seconds(one_s, two_s, paper_s))
    yield Row("  the classifier alone, and the paper's way over it", f"{usual_s:.3f}, {paper_s / usual_s:.1f} x")
    yield Row("  a well of an archive", f"{mean_s:.3f}", f"<= {WANTED_S:g}", mean_s <= WANTED_S)
    yield Row(
        "  the paper's way over it",
        f"{paper_s / mean_s:.1f} x",
        f">= {WANTED_RATIO} x",
        paper_s / mean_s >= WANTED_RATIO,
    )


def _seconds(*seconds: float) -> str:
    return ", ".join(f"{each:.3f}" for each in seconds)


def rows(wells: Sequence[Well]) -> Iterator[Row]:
    """Yield what each limit of doubt gives, and what the second look takes alone."""
    for limit in LIMITS:
        yield from of_limit(Cascade(wells, limit))
    alone_s = np.array([well.before_s + well.second.cpu_s for well in wells])
    yield Row("second look alone: CPU-s a well, in an archive", f"{(in_archive(wells) * alone_s).mean():.3f}")


def of_limit(cascade: Cascade) -> Iterator[Row]:
    """Yield what one limit of doubt gives."""
    wells, weights = cascade.wells, in_archive(cascade.wells)
    draws, truth = drawn([str(number) for number in range(len(wells))]), np.array([well.group for well in wells])
    crystal = truth == CRYSTAL
    called = np.array([look.group == CRYSTAL for look in cascade.looks])
    lost = draws.mean(Cascade(wells, 0.0).right - cascade.right)
    area = draws.figure(auroc_by_weights(np.array([look.peaks[CRYSTAL] for look in cascade.looks]), crystal))
    mean_s = float((weights * cascade.cpu_s).mean())
    shares = ", ".join(f"{cascade.again[truth == group].mean():.0%}" for group in range(len(GROUPS)))
    yield Row(
        f"doubt above {cascade.limit:g}: looked at twice, in an archive", f"{(weights * cascade.again).mean():.1%}"
    )
    yield Row("  of crystal, precipitate, other, clear", shares)
    yield Row("  right group of 4", f"{cascade.right.mean():.1%}")
    yield Row("  less than by the second look alone", _points(lost))
    yield Row("  crystals called, false crystals", f"{called[crystal].mean():.1%}, {called[~crystal].mean():.1%}")
    yield Row("  AUROC", f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})")
    yield Row("  CPU-s a well, in an archive", f"{mean_s:.3f}", f"<= {WANTED_S:g}", mean_s <= WANTED_S)


def _points(found: Interval) -> str:
    return f"{100 * found.value:.1f} points ({100 * found.low:.1f} to {100 * found.high:.1f})"


def half_width(model: Model[ClassifierCard]) -> Model[ClassifierCard]:
    """Return the classifier for views half as wide; nothing else of it changes."""
    return replace(model, card=replace(model.card, working_width_px=model.card.working_width_px // 2))


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path, nargs="?", help="of the first look (default: half the width)")
    parser.add_argument("--data", type=Path, required=True, help="dataset with rendered wells")
    parser.add_argument("--split", default="validation", help="of the dataset (default: validation)")
    arguments = parser.parse_args()
    usual = default_model(ClassifierCard)
    card: Path | None = arguments.card
    first = half_width(usual) if card is None else in_role(read_model(card), ClassifierCard)
    second = loaded([usual, default_model(DropCard)])
    images = dataset_truth(open_dataset(arguments.data), arguments.split, of_drops=False).images
    wells = list(wells_of(images, Models(OnnxNetwork(first), second.drop), second))
    found = [*rows(wells)]
    if isinstance(first.card, FirstLookCard):
        its_own = Cascade(wells, first.card.most_doubt)
        share = float((in_archive(wells) * its_own.again).mean())
        found = [*of_limit(its_own), *beside_the_paper(in_role(first, FirstLookCard), share), *found]
    sys.stdout.write(f"{len(wells)} wells\n{table(found)}\n")


if __name__ == "__main__":
    main()
