"""How well a trained drop locator finds drops: against masks that people drew, well by well."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.datasets.packed import PackedDataset, sampled
from crystal_search.errors import UserError
from crystal_search.evaluation.bootstrap import Draws, Interval, drawn
from crystal_search.evaluation.drop_page import DropEvaluation, drop_page
from crystal_search.evaluation.drop_verdicts import DropVerdict, Figure
from crystal_search.files import whole_folder, write_whole
from crystal_search.inference import Network
from crystal_search.model_card import DropCard
from crystal_search.networks.cards import DROP_WIDTH_PX
from crystal_search.training.mask_source import KnownDrop, coverage_at, known_drop, masked_wells
from crystal_search.training.trained_locator import load_locator
from crystal_search.unet_drop.locate import drop_in, drop_probabilities
from crystal_search.unet_drop.regions import overlap

WELLS, FIGURES, PAGE = "drop-wells.csv", "drop-figures.csv", "index.html"
GOOD, USABLE = 0.9, 0.5  #: intersection over union


def evaluate_drop(
    run: Path,
    dataset: PackedDataset,
    out: Path,
    *,
    split: str | None = None,
    wells: int | None = None,
    replace: bool = False,
) -> Path:
    """Evaluate the drop locator whose training is in `run`, and return the page that was written to `out`.

    Parameters
    ----------
    run
        Folder of the training.
    dataset
        Whole images with masks.
    out
        Folder to write, whole or not at all.
    split
        That is judged; None for ``test``, or ``validation`` where no test image has a mask.
    wells
        At most so many images; None for all.
    replace
        Whether what is in `out` may go.

    Raises
    ------
    UserError
        If `run` is no training of a drop locator, or no image of the dataset has a mask.
    """
    record, locator = load_locator(run)
    split = judged_split(dataset, split)
    verdicts = list(verdicts_of(dataset, split, locator, wells))
    figures = drop_figures(verdicts)
    evaluation = DropEvaluation(
        record=record, run=str(run), data=str(dataset.folder), split=split, verdicts=verdicts, figures=figures
    )
    with whole_folder(out, replace=replace) as part:
        write_whole(part / WELLS, _table(WELL_COLUMNS, map(_well_cells, verdicts)))
        write_whole(part / FIGURES, _table(FIGURE_COLUMNS, map(_figure_cells, figures)))
        write_whole(part / PAGE, drop_page(evaluation))
    sys.stdout.writelines(f"{said(figure)}\n" for figure in figures)
    sys.stdout.write(f"open {out / PAGE} in a browser\n")
    return out / PAGE


def judged_split(dataset: PackedDataset, asked: str | None = None) -> str:
    """Return the split to judge on: the one that was `asked` for, else test or validation.

    Raises
    ------
    UserError
        If none has an image with a mask.
    """
    for split in ("test", "validation") if asked is None else (asked,):
        if any(row.knows_drop for row in masked_wells(dataset, split)):
            return split
    raise UserError(
        f"no {asked or 'test or validation'} image of {dataset.folder} has a mask of its drop; "
        "draw some (docs/training-drops.md)"
    )


def verdicts_of(
    dataset: PackedDataset, split: str, locator: Network[DropCard], wells: int | None = None
) -> Iterator[DropVerdict]:
    """Yield what `locator` says of the images of a split whose drops are known, at most so many `wells`."""
    for row in sampled(masked_wells(dataset, split), wells):
        yield judged(known_drop(dataset, row, DROP_WIDTH_PX), locator)


def judged(known: KnownDrop, locator: Network[DropCard]) -> DropVerdict:
    """Return what `locator` says of one image."""
    drop = drop_in(drop_probabilities(known.grey, locator))
    found = None if drop is None else drop.mask
    true = coverage_at(known.mask, *known.grey.shape) > 127
    return DropVerdict(known.row, known.grey, true, found, overlap(known.mask, found))


def drop_figures(verdicts: Sequence[DropVerdict]) -> list[Figure]:
    """Return the figures of a locator; those about empty wells only where there are some."""
    draws = drawn([each.row.well or each.row.image for each in verdicts])
    overlaps = np.array([each.overlap for each in verdicts])
    full = np.array([not each.empty for each in verdicts], np.bool_)
    found = np.array([each.found is not None for each in verdicts], np.bool_)
    figures = []
    if full.any():
        count = int(full.sum())
        figures = [
            Figure("mean intersection over union", draws.mean(overlaps, full), count),
            Figure("median intersection over union", _median(overlaps, full, draws), count),
            Figure(f"drops with at least {GOOD}", draws.mean((overlaps >= GOOD).astype(np.float64), full), count),
            Figure(f"drops with at least {USABLE}", draws.mean((overlaps >= USABLE).astype(np.float64), full), count),
            Figure("drops found", draws.mean(found.astype(np.float64), full), count),
        ]
    if not full.all():
        count = int((~full).sum())
        figures += [
            Figure("empty wells reported empty", draws.mean((~found).astype(np.float64), ~full), count),
            Figure("empty wells with a false drop", draws.mean(found.astype(np.float64), ~full), count),
        ]
    return figures


def _median(values: NDArray[np.float64], among: NDArray[np.bool_], draws: Draws) -> Interval:
    def median(times: NDArray[np.float64]) -> float:
        chosen = np.repeat(values[among], times[among].astype(np.int64))
        return float(np.median(chosen)) if len(chosen) else float("nan")

    return draws.figure(median)


def said(figure: Figure) -> str:
    """Return a figure as a line of text."""
    value, low, high = figure.interval
    return f"{figure.measure}: {value:.3f} ({low:.3f} to {high:.3f}), {figure.count} images"


WELL_COLUMNS = ("image", "well", "plate", "outcome", "drop", "found", "intersection_over_union", "area", "area_found")
FIGURE_COLUMNS = ("measure", "value", "low", "high", "images")


def _well_cells(verdict: DropVerdict) -> tuple[object, ...]:
    row, found = verdict.row, verdict.found
    area_found = 0.0 if found is None else float(found.mean())
    told = ("no" if verdict.empty else "yes", "no" if found is None else "yes")
    areas = (round(float(verdict.true.mean()), 4), round(area_found, 4))
    return (row.image, row.well, row.plate, row.outcome, *told, round(verdict.overlap, 4), *areas)


def _figure_cells(figure: Figure) -> tuple[object, ...]:
    return (figure.measure, *(round(value, 4) for value in figure.interval), figure.count)


def _table(header: Sequence[str], rows: Iterator[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
