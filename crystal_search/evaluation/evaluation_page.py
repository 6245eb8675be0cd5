"""The page to read: plots, tables and what they mean, in one file."""

import base64
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from crystal_search.evaluation import paper
from crystal_search.evaluation.bootstrap import Interval
from crystal_search.evaluation.chop_tables import confusion_of_chops, reliabilities
from crystal_search.evaluation.examining import Examined
from crystal_search.evaluation.mistakes import missed, shown
from crystal_search.evaluation.plots import (
    confusion_plot,
    looking_plot,
    reliability_plot,
    success_plot,
    threshold_plot,
)
from crystal_search.evaluation.side_by_side import JSON, MARKDOWN, Evaluation
from crystal_search.evaluation.tables import Cell
from crystal_search.evaluation.well_tables import confusion_of_wells
from crystal_search.outcomes import GROUPS, NO_DROP, THRESHOLD, Group

RATES = (*(f"{group}_percent" for group in GROUPS), "weighted_mean_percent")
SIZE_AND_TIME = ("model_mb", "weight_layers", "parameters", "epochs", "total_s", "epoch_min")
OF_CHOPS = ("accuracy_percent", "top5_percent", "loss", "chops")
RIGHT = tuple(f"{on}_{key}" for on in ("train", "validation") for key in OF_CHOPS)


def page_of(evaluation: Evaluation) -> str:
    """Return the page of an evaluation as HTML that needs no other file."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    source = files("crystal_search.evaluation") / "page.html"
    return environment.from_string(source.read_text(encoding="utf-8")).render(**_contents(evaluation))


def _contents(evaluation: Evaluation) -> dict[str, Any]:
    names = [run.name for run in evaluation.runs]
    return {
        "title": f"Evaluation of {', '.join(names)}",
        "subtitle": _subtitle(evaluation),
        "sentences": [_sentence(evaluation, index) for index in range(len(names))],
        "warnings": _warnings(evaluation),
        "plots": _plots(evaluation),
        "tables": {name.replace("-", "_"): table for name, table in evaluation.tables.items()},
        "size_and_time": evaluation.tables["table-2"].columns_but(*RIGHT),
        "right_about_chops": evaluation.tables["table-2"].columns_but(*SIZE_AND_TIME),
        "paper": {"source": paper.SOURCE, "table_2": paper.TABLE_2, "table_3": paper.TABLE_3},
        "threshold": f"{100 * THRESHOLD:.0f}",
        "split": evaluation.options.split,
        "runs": [_of_run(evaluation, run) for run in evaluation.runs],
        "files": [*(f"{name}.csv" for name in evaluation.tables), MARKDOWN, JSON],
        "dataset": evaluation.dataset.folder,
        "made_by": evaluation.command,
    }


def _subtitle(evaluation: Evaluation) -> str:
    first, sources = evaluation.runs[0], "; ".join(evaluation.dataset.about.sources)
    images, wells = len(first.wells), len({well.row.well for well in first.wells})
    return (
        f"{images} whole images of {wells} wells and {len(first.judged.labels)} chops of the split "
        f"{evaluation.options.split}. Dataset {evaluation.dataset.folder.resolve().name}: {sources}."
    )


def _rates(evaluation: Evaluation, run: Examined, threshold: float) -> list[Interval]:
    """Return the success rates of a run at a threshold: four groups and their weighted mean."""
    table = evaluation.tables["table-3"].only(network=run.name, threshold_percent=threshold)
    keys = [column.key for column in table.columns]
    return [_interval(table.rows[0][keys.index(key)]) for key in RATES]


def _interval(cell: Cell) -> Interval:
    return cell if isinstance(cell, Interval) else Interval(*[float("nan")] * 3)


def _shown_threshold(evaluation: Evaluation) -> float:
    """Return the threshold nearest to the one that the client uses."""
    return min(evaluation.thresholds, key=lambda each: abs(each - THRESHOLD))


def _sentence(evaluation: Evaluation, index: int) -> str:
    run, curve = evaluation.runs[index], evaluation.looking[index]
    threshold = _shown_threshold(evaluation)
    crystal, mean = (_rates(evaluation, run, threshold)[place] for place in (0, -1))
    said = (
        f"{run.name} puts {_percent(mean)} of the images into the right group at a threshold of {100 * threshold:g} %"
    )
    if np.isnan(curve.needed.value):
        return f"{said}; there are no crystal wells to find in this split."
    return (
        f"{said} and finds {_percent(crystal)} of the crystals. To find 90 % of the crystal wells, "
        f"look at {_percent(curve.needed)} of the images."
    )


def _percent(figure: Interval) -> str:
    if np.isnan(figure.low):
        return f"{100 * figure.value:.0f} %"
    return f"{100 * figure.value:.0f} % ({100 * figure.low:.0f}–{100 * figure.high:.0f})"


def _warnings(evaluation: Evaluation) -> list[str]:
    found = []
    split, first = evaluation.options.split, evaluation.runs[0]
    if not len(first.judged.labels):
        found.append(f"The {split} split has no chops, so classes and calibration are empty.")
    if split == "validation":
        found.append("Temperatures were fitted on this split, and training may have stopped by it: figures flatter.")
    if split == "train":
        found.append("The networks were trained on this split: these figures say nothing about new images.")
    for run in evaluation.runs:
        if run.learnt and split != "train":
            found.append(
                f"{run.name} was trained on wells that {run.learnt} of these images show, in the dataset "
                f"{run.record.data}: its figures flatter."
            )
    absent = [group for group in GROUPS if all(well.truth is not group for well in first.wells)]
    if absent:
        found.append(f"No whole image of the split is {' or '.join(absent)}: its cells are empty.")
    lost = sum(well.truth is not None and well.score.outcome == NO_DROP for well in first.wells)
    if lost:
        found.append(f"Images with a drop in which none was found: {lost}. They count as wrong, whatever the network.")
    if unreadable := sum(well.score.error is not None for well in first.wells):
        found.append(f"Images that cannot be read: {unreadable}. They count as wrong; wells.csv names them.")
    empty = [well for well in first.wells if well.truth is None]
    if empty:
        right = sum(well.score.outcome == NO_DROP for well in empty)
        found.append(f"{len(empty)} wells hold no drop and are in no success rate; {right} were reported empty.")
    return found


def _plots(evaluation: Evaluation) -> dict[str, str]:
    names, threshold = [run.name for run in evaluation.runs], _shown_threshold(evaluation)
    at_main = [_rates(evaluation, run, threshold) for run in evaluation.runs]
    return {
        "looking": looking_plot(list(zip(names, evaluation.looking, strict=True))),
        "success": success_plot(names, [*map(str, GROUPS), "weighted mean"], at_main),
        "threshold": _threshold_plot(evaluation) if len(evaluation.thresholds) > 1 else "",
    }


def _threshold_plot(evaluation: Evaluation) -> str:
    lines = []
    for run in evaluation.runs:
        rates = np.array([[each.value for each in _rates(evaluation, run, at)] for at in evaluation.thresholds])
        lines.append((run.name, rates[:, 0], rates[:, -1]))
    return threshold_plot(evaluation.thresholds, lines)


def _of_run(evaluation: Evaluation, run: Examined) -> dict[str, Any]:
    misses = missed(run.wells, THRESHOLD)
    classes = [name.replace("_", " ") for name in run.record.classes]
    groups = list(map(str, GROUPS))
    before, after = reliabilities(run)
    return {
        "name": run.name,
        "classes": evaluation.tables["classes"].only(network=run.name),
        "confusion_of_chops": confusion_plot(confusion_of_chops(run), classes, classes),
        "confusion_of_wells": _wells_confusion(run, groups),
        "reliability": reliability_plot([("before the temperature", before), ("after it", after)]),
        "missed": shown(misses, evaluation.dataset),
        "missed_count": len(misses),
        "crystal_images": sum(well.truth is Group.CRYSTAL for well in run.wells),
    }


def _wells_confusion(run: Examined, groups: Sequence[str]) -> str:
    """Return the plot of groups; with wells that hold no drop where there are some."""
    counts = confusion_of_wells(run)
    truths = [*groups, "no drop"] if counts[-1].any() else list(groups)
    return confusion_plot(counts[: len(truths)], truths, [*groups, "no drop"])
