"""Tables of chops: Table 2, classes, confusion, calibration."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.evaluation.bootstrap import Draws, Interval, drawn, interval
from crystal_search.evaluation.examining import Examined
from crystal_search.evaluation.tables import Cell, Column, Table
from crystal_search.metrics import (
    Floats,
    Labels,
    Reliability,
    among_best,
    auroc,
    class_rates,
    confusion,
    losses,
    mean_of,
    reliability,
)
from crystal_search.scoring.classify import probabilities
from crystal_search.training.trained import ChopScores

Truths = NDArray[np.bool_]  #: (chops,)
TOP = 5
MB = 1e6  #: bytes
RATES = (
    Column("precision_percent", "Precision (%)", "percent"),
    Column("recall_percent", "Recall (%)", "percent"),
    Column("f1_percent", "F1 (%)", "percent"),
    Column("auroc", "AUROC", "number", 3),
)
MACRO = "mean of classes"


def draws_of(scores: ChopScores) -> Draws:
    """Return draws of the wells of chops."""
    return drawn([row.well for row in scores.rows])


def shares_of(scores: ChopScores, temperature: float = 1.0) -> Floats:
    """Return the probabilities of chops, (chops, classes)."""
    return probabilities(scores.logits.astype(np.float64), temperature)


def table_2(runs: Sequence[Examined]) -> Table:
    """Return size, effort, and how right each network is about chops, as Table 2 of Thielmann et al. (2023)."""
    columns = (
        Column("network", "Network"),
        Column("classes", "Classes", "count"),
        Column("model_mb", "Model (MB)", "number"),
        Column("weight_layers", "Weight layers", "count"),
        Column("parameters", "Parameters", "count"),
        Column("epochs", "Epochs", "number"),
        Column("total_s", "Total time (h:min:s)", "duration"),
        Column("epoch_min", "Time per epoch (min)", "number", 2),
        *_right_columns("train", "Training"),
        *_right_columns("validation", "Validation"),
    )
    return Table("table-2", columns, tuple(_table_2_row(run) for run in runs))


def _right_columns(key: str, heading: str) -> tuple[Column, ...]:
    return (
        Column(f"{key}_accuracy_percent", f"{heading} accuracy (%)", "percent"),
        Column(f"{key}_top5_percent", f"{heading} top-5 (%)", "percent"),
        Column(f"{key}_loss", f"{heading} loss", "number", 2),
        Column(f"{key}_chops", f"{heading} chops", "count"),
    )


def _table_2_row(run: Examined) -> tuple[Cell, ...]:
    per_epoch = run.effort.seconds_per_epoch
    return (
        run.name,
        len(run.record.classes),
        run.model_bytes / MB,
        run.weight_layers,
        run.parameters,
        run.effort.epochs,
        run.effort.seconds,
        None if per_epoch is None else per_epoch / 60,
        *_right(run.train),
        *_right(run.validation),
    )


def _right(scores: ChopScores) -> Iterator[Cell]:
    """Yield accuracy, top-5, loss and number of chops; no top-5 where there are no more classes than that."""
    draws, shares = draws_of(scores), shares_of(scores)
    yield draws.mean(among_best(shares, scores.labels, 1).astype(np.float64))
    yield draws.mean(among_best(shares, scores.labels, TOP).astype(np.float64)) if shares.shape[1] > TOP else None
    yield draws.mean(losses(shares, scores.labels))
    yield len(scores.labels)


def class_table(runs: Sequence[Examined]) -> Table:
    """Return precision, recall, F1 and AUROC of every class of chops; empty where a class is absent."""
    columns = (Column("network", "Network"), Column("class", "Class"), Column("chops", "Chops", "count"), *RATES)
    return Table("classes", columns, tuple(row for run in runs for row in _class_rows(run)))


def _class_rows(run: Examined) -> Iterator[tuple[Cell, ...]]:
    scores, names = run.judged, run.record.classes
    draws, shares = draws_of(scores), shares_of(scores)
    answers = shares.argmax(axis=1)
    rates = class_rates(confusion(scores.labels, answers, len(names)))
    areas = [_auroc(draws, shares[:, index], scores.labels == index) for index in range(len(names))]
    bounds = _drawn_f1(draws, scores, answers, len(names))  # (draws, classes)
    for index, name in enumerate(names):
        f1 = interval(float(rates.f1[index]), bounds[:, index])
        recall = draws.mean((answers == index).astype(np.float64), scores.labels == index)
        precision = draws.mean((scores.labels == index).astype(np.float64), answers == index)
        there = rates.support[index] > 0
        yield run.name, name, int(rates.support[index]), precision if there else None, recall, f1, areas[index]
    macro = interval(rates.macro_f1, np.array([mean_of(each) for each in bounds]))
    area = mean_of(np.array([each.value for each in areas]))
    yield run.name, MACRO, len(scores.labels), rates.macro_precision, rates.macro_recall, macro, area


def _auroc(draws: Draws, scores: Floats, positive: Truths) -> Interval:
    if positive.all() or not positive.any():
        return Interval(*[float("nan")] * 3)
    return draws.figure(lambda weights: auroc(scores, positive, weights))


def _drawn_f1(draws: Draws, scores: ChopScores, answers: Labels, classes: int) -> Floats:
    """Return F1 of every class in every draw, (draws, classes)."""
    cells = scores.labels * classes + answers  # (chops,)
    wells = draws.times.shape[1]
    counts = np.bincount(draws.well_of * classes**2 + cells, minlength=wells * classes**2)
    drawn_counts = draws.times @ counts.reshape(wells, classes**2)  # (draws, classes²)
    return np.stack([class_rates(each.reshape(classes, classes)).f1 for each in drawn_counts])


def confusion_of_chops(run: Examined) -> Floats:
    """Return the confusion matrix of the judged chops, truth in rows."""
    return confusion(run.judged.labels, run.judged.logits.argmax(axis=1), len(run.record.classes))


def reliabilities(run: Examined) -> tuple[Reliability, Reliability]:
    """Return the reliability of the judged chops' answers before and after the temperature."""
    before, after = (_reliability(run.judged, temperature) for temperature in (1.0, run.temperature))
    return before, after


def _reliability(scores: ChopScores, temperature: float) -> Reliability:
    return reliability(*_sure_and_right(scores, temperature))


def _sure_and_right(scores: ChopScores, temperature: float) -> tuple[Floats, Truths]:
    """Return how sure each answer is, and whether it is right."""
    shares = shares_of(scores, temperature)
    return shares.max(axis=1), shares.argmax(axis=1) == scores.labels


def _ece(draws: Draws, scores: ChopScores, temperature: float) -> Interval:
    sure, right = _sure_and_right(scores, temperature)
    return draws.figure(lambda weights: reliability(sure, right, weights).ece)


def calibration_table(runs: Sequence[Examined]) -> Table:
    """Return the bins of every reliability curve."""
    columns = (
        Column("network", "Network"),
        Column("temperature", "Temperature"),
        Column("confidence_from", "Confidence from", "number", 3),
        Column("confidence_to", "to", "number", 3),
        Column("chops", "Chops", "count"),
        Column("confidence_percent", "Mean confidence (%)", "percent"),
        Column("accuracy_percent", "Accuracy (%)", "percent"),
    )
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        for name, curve in zip(("before", "after"), reliabilities(run), strict=True):
            bins = zip(curve.edges, curve.edges[1:], curve.counts, curve.confidence, curve.accuracy, strict=False)
            rows += [(run.name, name, *map(float, each[:2]), int(each[2]), *map(float, each[3:])) for each in bins]
    return Table("calibration", columns, tuple(rows))


def ece_table(runs: Sequence[Examined]) -> Table:
    """Return how far confidence is from accuracy, before and after the temperature."""
    columns = (
        Column("network", "Network"),
        Column("temperature", "Temperature", "number", 2),
        Column("ece_before_percent", "ECE before (%)", "percent"),
        Column("ece_after_percent", "ECE after (%)", "percent"),
        Column("chops", "Chops", "count"),
    )
    return Table("ece", columns, tuple(_ece_row(run) for run in runs))


def _ece_row(run: Examined) -> tuple[Cell, ...]:
    draws = draws_of(run.judged)
    before, after = (_ece(draws, run.judged, temperature) for temperature in (1.0, run.temperature))
    return run.name, run.temperature, before, after, len(run.judged.labels)
