"""Tables of whole images: by source, Table 3, groups, confusion, looking, and every single one."""

from collections.abc import Sequence

import numpy as np

from crystal_search.bootstrap import Draws, Interval, drawn
from crystal_search.evaluation.class_f1 import class_f1
from crystal_search.evaluation.image_figures import classifier_figures, drop_figures, reading_figures
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.images_to_look_at import LOOKED_AT, Looking, looking
from crystal_search.evaluation.judge import Judged
from crystal_search.evaluation.known_images import UNKNOWN
from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.metrics import Floats, Labels, class_rates, confusion
from crystal_search.outcomes import GROUPS, NO_DROP, OUTCOME_NAMES, Group

Verdicts = tuple[ImageVerdict, ...]
JudgedImages = Sequence[Judged[Verdicts]]
NOTHING = len(GROUPS)  #: the answer of an image without a drop or that cannot be read; right for no group
RATES = ("precision_percent", "recall_percent", "f1_percent")
OF_GROUPS = (*(f"{group}_percent" for group in GROUPS), "weighted_mean_percent")


def draws_of(verdicts: Sequence[ImageVerdict]) -> Draws:
    """Return draws of the wells that images show."""
    return drawn([each.known.drawn_with for each in verdicts])


def source_table(judged: JudgedImages) -> Table:
    """Return the figures of each source of images."""
    rows: list[tuple[Cell, ...]] = []
    for each in judged:
        for source in dict.fromkeys(verdict.known.source for verdict in each.verdicts):
            mine = [verdict for verdict in each.verdicts if verdict.known.source == source]
            drops = drop_figures(mine) if mine[0].asks_for_drop else []
            figures = [*classifier_figures(mine), *drops, *reading_figures(mine)]
            rows += [(each.name, source, figure.measure, figure.interval, figure.count) for figure in figures]
    return table("sources", ("network", "source", "measure", "value", "images"), rows)


def truths(verdicts: Sequence[ImageVerdict]) -> Labels:
    """Return the position of each image's group among `GROUPS`, `NOTHING` where it shows no drop."""
    return _places([each.known.group for each in verdicts])


def answers(verdicts: Sequence[ImageVerdict], threshold: float) -> Labels:
    """Return the position of each image's answer among `GROUPS`, `NOTHING` where no drop was found."""
    return _places([each.answer(threshold) for each in verdicts])


def _places(groups: Sequence[Group | None]) -> Labels:
    return np.array([NOTHING if group is None else GROUPS.index(group) for group in groups], dtype=np.int64)


def table_3(judged: JudgedImages, thresholds: Sequence[float]) -> Table:
    """Return success rates of whole images by group, as Table 3 of Thielmann et al. (2023).

    Only images of drops whose group is known are counted. The mean is weighted by how frequent the groups are.
    """
    names = ("network", "threshold_percent", *OF_GROUPS, "images", "unsure", "no_drop_found", "unreadable")
    return table("table-3", names, (_table_3_row(each, at) for each in judged for at in thresholds))


def _table_3_row(judged: Judged[Verdicts], threshold: float) -> tuple[Cell, ...]:
    told = [each for each in judged.verdicts if each.known.group is not None]
    lost = sum(each.readable and each.score.score is None for each in told)
    unsure = sum(each.is_unsure(threshold) for each in told)
    counts = (len(told), unsure, lost, sum(not each.readable for each in told))
    return judged.name, threshold, *success_rates(judged.verdicts, threshold), *counts


def success_rates(verdicts: Sequence[ImageVerdict], threshold: float) -> list[Interval]:
    """Return how often the group is right at a threshold: for each of four groups, and their weighted mean."""
    told = [each for each in verdicts if each.known.group is not None]
    draws, truth = draws_of(told), truths(told)
    right = (truth == answers(told, threshold)).astype(np.float64)
    return [*(draws.mean(right, truth == index) for index in range(len(GROUPS))), draws.mean(right)]


def confusion_of_images(verdicts: Sequence[ImageVerdict], threshold: float) -> Floats:
    """Return how often an image of a group (row) was answered with one (column), or with no drop, (5, 5)."""
    told = [each for each in verdicts if each.known.empty or each.known.group]
    return confusion(truths(told), answers(told, threshold), len(GROUPS) + 1)


def group_table(judged: JudgedImages, threshold: float) -> Table:
    """Return precision, recall and F1 of every group of whole images."""
    rows: list[tuple[Cell, ...]] = []
    for each in judged:
        rates = class_rates(confusion_of_images(each.verdicts, threshold)[: len(GROUPS)])
        for index, group in enumerate(GROUPS):
            figures = (float(rate[index]) for rate in (rates.precision, rates.recall, rates.f1))
            rows.append((each.name, str(group), int(rates.support[index]), *figures))
    return table("groups", ("network", "group", "images", *RATES), rows)


def table_5(judged: JudgedImages, threshold: float) -> Table:
    """Return F1 of every group of whole images and their mean, as Table 5 of King et al. (2024).

    Only images of drops whose group is known are counted; one without an answer is right for no group.
    """
    names = ("network", *(f"f1_{group}" for group in GROUPS), "f1_mean", "images")
    return table("table-5", names, (_table_5_row(each, threshold) for each in judged))


def _table_5_row(judged: Judged[Verdicts], threshold: float) -> tuple[Cell, ...]:
    told = [each for each in judged.verdicts if each.known.group is not None]
    everything = np.ones(len(told), np.bool_)
    found = class_f1(truths(told), answers(told, threshold), everything, draws_of(told))
    return judged.name, *found.f1, found.mean, found.images


def confusion_table(name: str, counted: Sequence[tuple[str, Sequence[str], Floats]]) -> Table:
    """Return confusion matrices, one row for each cell; each has a network, what it tells apart, and counts."""
    rows = (
        (network, truth, answer, int(counts[row, column]))
        for network, names, counts in counted
        for row, truth in enumerate(names)
        for column, answer in enumerate(names)
    )
    return table(name, ("network", "truth", "answer", "count"), rows)


def image_confusion_table(judged: JudgedImages, threshold: float) -> Table:
    """Return which groups of whole images are taken for which."""
    names = (*map(str, GROUPS), NO_DROP)
    counted = [(each.name, names, confusion_of_images(each.verdicts, threshold)) for each in judged]
    return confusion_table("confusion-of-images", counted)


def looking_of(verdicts: Sequence[ImageVerdict]) -> Looking:
    """Return how many crystal wells are found by looking at the images that look most like crystals first."""
    known = [each for each in verdicts if each.known.label != UNKNOWN]
    scores = np.array([each.crystal_peak for each in known], dtype=np.float64)
    crystal = np.array([each.known.crystal for each in known], dtype=np.bool_)
    return looking(scores, crystal, [each.known.drawn_with for each in known])


def looking_table(found: Sequence[tuple[str, Looking]]) -> Table:
    """Return the curves of `looking_of` by network."""
    names = ("network", "images_percent", "found_percent", "found_percent_low", "found_percent_high")
    rows: list[tuple[Cell, ...]] = []
    for name, curve in found:
        points = np.stack([LOOKED_AT, curve.found, curve.low, curve.high], axis=1)  # (101, 4)
        rows += [(name, *map(float, each)) for each in points]
    return table("looking", names, rows)


def needed_table(found: Sequence[tuple[str, Looking]]) -> Table:
    """Return how many images must be looked at to find 90 % of the crystal wells."""
    rows = ((name, curve.needed, curve.crystal_wells, curve.images) for name, curve in found)
    return table("needed", ("network", "images_needed_percent", "crystal_wells", "images"), rows)


def image_table(judged: JudgedImages, threshold: float) -> Table:
    """Return every whole image with its truth, its answer and all probabilities."""
    names = (
        *("network", "image", "source", "well", "plate", "truth", "truth_group", "outcome", "group"),
        *("above_threshold", "drop_there", "drop_found", "drop_share", "iou", "seconds", "error"),
        *(f"p_{group}" for group in GROUPS),
        *(f"mean_{name}" for name in OUTCOME_NAMES),
    )
    return table(
        "wells", names, (_image_row(each.name, verdict, threshold) for each in judged for verdict in each.verdicts)
    )


def _image_row(network: str, verdict: ImageVerdict, threshold: float) -> tuple[Cell, ...]:
    known, score = verdict.known, verdict.score
    return (
        *(network, known.name, known.source, known.well, known.plate, known.label, str(known.group or "")),
        *(score.outcome, str(verdict.answer(threshold) or "")),
        not verdict.is_unsure(threshold) if score.group_peaks else None,
        None if known.label == UNKNOWN else not known.empty,
        *(verdict.drop_found if verdict.asks_for_drop else None, score.drop.area_fraction if score.drop else None),
        *(verdict.overlap, verdict.seconds, score.error),
        *(verdict.peaks or (None,) * len(GROUPS)),
        *(score.class_probabilities or (None,) * len(OUTCOME_NAMES)),
    )
