"""Classifiers judged on the chops of a dataset: Table 2, classes, confusion, calibration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import Draws, Interval, drawn, interval
from crystal_search.datasets.packed import sampled
from crystal_search.evaluation import paper
from crystal_search.evaluation.image_tables import RATES, confusion_table
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.known_images import Truth
from crystal_search.evaluation.page_parts import Folded, Part, Plot, Section
from crystal_search.evaluation.plots import confusion_plot, reliability_plot
from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.inference import OnnxNetwork
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
from crystal_search.model import in_role
from crystal_search.model_card import ClassifierCard
from crystal_search.networks.network_kinds import CLASSIFIERS
from crystal_search.scoring.classify import probabilities
from crystal_search.training.chop_scores import Answer, ChopScores, cell_means, check_labels, mean_logits, scores_of

TOP = 5
MB = 1e6  #: bytes
MACRO = "mean of classes"
SIZE_AND_TIME = ("model_mb", "weight_layers", "parameters", "epochs", "total_s", "epoch_min")
OF_CHOPS = ("accuracy_percent", "top5_percent", "loss", "chops")
RIGHT = tuple(f"{on}_{name}" for on in ("train", "validation") for name in OF_CHOPS)
OTHERS = "Measured on other images and other computers (four TITAN Xp); for orientation only."
NETWORKS = (
    "Accuracy: the likeliest class is the right one. Top-5: it is among the five likeliest. Loss: how surprised the "
    "network is by the truth, 0 being not at all. Training chops are taken as they are, without augmentation; much "
    "better figures on them than on validation chops mean that the network learnt by heart."
)
CLASSES = (
    "AUROC: how often a chop of the class gets a higher probability for it than a chop of another class; 0.5 is "
    "guessing, 1 perfect. A class of which there are no chops has empty cells."
)
CALIBRATION = (
    "Of answers that are 80 % sure, 80 % should be right: the line should lie on the diagonal; below it the network is"
    " too sure of itself. The expected calibration error (ECE) is the mean distance. One number, the temperature, by "
    "which a network's outputs are divided, brings the line closer; it was fitted on validation chops."
)


@dataclass(frozen=True, slots=True, eq=False)
class ChopVerdicts:
    """What a classifier says of the chops of a dataset."""

    classes: tuple[str, ...]
    temperature: float  #: of its card
    train: ChopScores
    validation: ChopScores
    judged: ChopScores  #: chops of the split that is judged; none where it has none


JudgedChops = Sequence[Judged[ChopVerdicts]]


class ChopJudge:
    """Judges classifiers on chops; where the truth has none, it has nothing to say."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> ChopVerdicts | None:
        """Return what the classifier says of chops of three splits.

        Raises
        ------
        UserError
            If their labels do not tell its classes apart.
        """
        if truth.dataset is None:
            return None
        card = in_role(contender.model, ClassifierCard).card
        check_labels(card.classes, truth.dataset)
        answer, dataset = _answering(contender, options), truth.dataset
        train, validation, judged = (
            scores_of(answer, card.classes, dataset, sampled(dataset.chops(split), options.chops))
            for split in ("train", "validation", truth.split)
        )
        return ChopVerdicts(card.classes, card.temperature, train, validation, judged)

    def figures(self, verdicts: ChopVerdicts | None) -> Mapping[str, Sequence[Figure]]:
        """Return how many of the judged chops are right."""
        if verdicts is None or not len(verdicts.judged.labels):
            return {}
        scores = verdicts.judged
        right = draws_of(scores).mean((scores.logits.argmax(axis=1) == scores.labels).astype(np.float64))
        return {"classifier": [Figure(f"{len(verdicts.classes)}-class accuracy of chops", right, len(scores.labels))]}

    def chapter(self, judged: Sequence[Judged[ChopVerdicts | None]], truth: Truth, options: Options) -> Chapter:
        """Return tables and plots."""
        told = [Judged(each.contender, each.verdicts) for each in judged if each.verdicts is not None]
        if not told:
            return Chapter()
        networks, classes, eces = table_2(told), class_table(told), ece_table(told)
        chops = len(told[0].verdicts.judged.labels)
        empty = f"The {truth.split} split has no chops, so classes and calibration are empty."
        return Chapter(
            warnings=() if chops else (empty,),
            sections=(
                Section("The networks, and how right they are about chops", _network_parts(networks)),
                Section("Class by class", (f"Of {chops} {truth.split} chops. {CLASSES}", *_class_parts(told, classes))),
                Section("Do probabilities mean what they say?", (CALIBRATION, eces, *_reliability_plots(told))),
            ),
            tables=(networks, classes, chop_confusion_table(told), eces, calibration_table(told)),
        )


def _answering(contender: Contender, options: Options) -> Answer:
    """Return what gives logits (N, classes) for views (N, side, side[, 3])."""
    if contender.trained is not None:
        return partial(mean_logits, contender.trained.network.to(options.device), device=options.device)
    return partial(cell_means, OnnxNetwork(in_role(contender.model, ClassifierCard), threads=options.threads))


def draws_of(scores: ChopScores) -> Draws:
    """Return draws of the wells of chops."""
    return drawn([row.well for row in scores.rows])


def shares_of(scores: ChopScores, temperature: float = 1.0) -> Floats:
    """Return the probabilities of chops, (chops, classes)."""
    return probabilities(scores.logits.astype(np.float64), temperature)


def table_2(judged: JudgedChops) -> Table:
    """Return size, effort, and how right each network is about chops, as Table 2 of Thielmann et al. (2023)."""
    return table("table-2", ("network", "classes", *SIZE_AND_TIME, *RIGHT), map(_table_2_row, judged))


def _table_2_row(judged: Judged[ChopVerdicts]) -> tuple[Cell, ...]:
    contender, verdicts, effort = judged.contender, judged.verdicts, judged.contender.effort
    known, network = (
        CLASSIFIERS.get(contender.model.card.architecture),
        contender.trained and contender.trained.network,
    )
    return (
        judged.name,
        len(verdicts.classes),
        len(contender.model.onnx) / MB,
        known.weight_layers if known else None,
        sum(each.numel() for each in network.parameters()) if network else None,
        effort.epochs,
        effort.seconds,
        None if effort.seconds_per_epoch is None else effort.seconds_per_epoch / 60,
        *_right(verdicts.train),
        *_right(verdicts.validation),
    )


def _right(scores: ChopScores) -> Iterator[Cell]:
    """Yield accuracy, top-5, loss and number of chops; no top-5 where there are no more classes than that."""
    draws, shares = draws_of(scores), shares_of(scores)
    yield draws.mean(among_best(shares, scores.labels, 1).astype(np.float64))
    yield draws.mean(among_best(shares, scores.labels, TOP).astype(np.float64)) if shares.shape[1] > TOP else None
    yield draws.mean(losses(shares, scores.labels))
    yield len(scores.labels)


def _network_parts(networks: Table) -> tuple[Part, ...]:
    sizes, right = networks.columns_but(*RIGHT), networks.columns_but(*SIZE_AND_TIME)
    return NETWORKS, sizes, right, Folded(f"The same table in {paper.SOURCE}", (OTHERS, paper.TABLE_2))


def class_table(judged: JudgedChops) -> Table:
    """Return precision, recall, F1 and AUROC of every class of chops; empty where a class is absent."""
    names = ("network", "class", "chops", *RATES, "auroc")
    return table("classes", names, ((each.name, *row) for each in judged for row in _class_rows(each.verdicts)))


def _class_rows(verdicts: ChopVerdicts) -> Iterator[tuple[Cell, ...]]:
    scores, names = verdicts.judged, verdicts.classes
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
        yield name, int(rates.support[index]), precision if there else None, recall, f1, areas[index]
    macro = interval(rates.macro_f1, np.array([mean_of(each) for each in bounds]))
    area = mean_of(np.array([each.value for each in areas]))
    yield MACRO, len(scores.labels), rates.macro_precision, rates.macro_recall, macro, area


def _auroc(draws: Draws, scores: Floats, positive: NDArray[np.bool_]) -> Interval:
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


def confusion_of_chops(verdicts: ChopVerdicts) -> Floats:
    """Return how often a chop of a class (row) was answered with one (column)."""
    return confusion(verdicts.judged.labels, verdicts.judged.logits.argmax(axis=1), len(verdicts.classes))


def chop_confusion_table(judged: JudgedChops) -> Table:
    """Return which classes of chops are taken for which."""
    counted = [(each.name, each.verdicts.classes, confusion_of_chops(each.verdicts)) for each in judged]
    return confusion_table("confusion-of-chops", counted)


def _class_parts(judged: JudgedChops, classes: Table) -> Iterator[Part]:
    for each in judged:
        names = [name.replace("_", " ") for name in each.verdicts.classes]
        yield f"{each.name}:"
        yield classes.only(network=each.name)
        yield Plot(
            confusion_plot(confusion_of_chops(each.verdicts), names, names), f"Confusion of classes, {each.name}"
        )


def reliabilities(verdicts: ChopVerdicts) -> tuple[Reliability, Reliability]:
    """Return the reliability curves of the judged chops before and after the temperature."""
    before, after = (
        reliability(*_sure_and_right(verdicts.judged, temperature)) for temperature in (1.0, verdicts.temperature)
    )
    return before, after


def _sure_and_right(scores: ChopScores, temperature: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how sure each answer is, and whether it is right."""
    shares = shares_of(scores, temperature)
    return shares.max(axis=1), shares.argmax(axis=1) == scores.labels


def _ece(draws: Draws, scores: ChopScores, temperature: float) -> Interval:
    sure, right = _sure_and_right(scores, temperature)
    return draws.figure(lambda weights: reliability(sure, right, weights).ece)


def calibration_table(judged: JudgedChops) -> Table:
    """Return the bins of every reliability curve."""
    names = ("network", "calibrated", "confidence_from_percent", "confidence_to_percent", "chops")
    rows: list[tuple[Cell, ...]] = []
    for each in judged:
        for calibrated, curve in zip((False, True), reliabilities(each.verdicts), strict=True):
            bins = zip(curve.edges, curve.edges[1:], curve.counts, curve.confidence, curve.accuracy, strict=False)
            rows += [(each.name, calibrated, *map(float, b[:2]), int(b[2]), *map(float, b[3:])) for b in bins]
    return table("calibration", (*names, "confidence_percent", "accuracy_percent"), rows)


def ece_table(judged: JudgedChops) -> Table:
    """Return how far confidence is from accuracy, before and after the temperature."""
    names = ("network", "temperature", "ece_before_percent", "ece_after_percent", "chops")
    return table("ece", names, map(_ece_row, judged))


def _ece_row(judged: Judged[ChopVerdicts]) -> tuple[Cell, ...]:
    verdicts = judged.verdicts
    draws = draws_of(verdicts.judged)
    before, after = (_ece(draws, verdicts.judged, temperature) for temperature in (1.0, verdicts.temperature))
    return judged.name, verdicts.temperature, before, after, len(verdicts.judged.labels)


def _reliability_plots(judged: JudgedChops) -> Iterator[Plot]:
    for each in judged:
        before, after = reliabilities(each.verdicts)
        plot = reliability_plot([("before the temperature", before), ("after it", after)])
        yield Plot(plot, f"Reliability, {each.name}")
