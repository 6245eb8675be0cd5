"""Trained networks made into model files: calibrated on what they never saw, exported, described."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from crystal_search.crystals.finding import padded
from crystal_search.datasets.packed import OBJECTS, open_dataset, sampled
from crystal_search.errors import UserError
from crystal_search.exporting.calibration import calibrated, shift_logits, well_accuracy
from crystal_search.exporting.crystal_threshold import least_probability
from crystal_search.exporting.export import export
from crystal_search.exporting.fitted_temperature import figure, fitted_to, learnt_from
from crystal_search.exporting.quantising import CALIBRATION_CHOPS, check_fit, examples_in, quantised
from crystal_search.exporting.rendered_chops import ScoredWell, chop_accuracy, scored_wells
from crystal_search.images import normalised
from crystal_search.known_names import among
from crystal_search.model import in_role, read_model, write_model
from crystal_search.model_card import (
    INSTANCES,
    ClassifierCard,
    CrystalCard,
    DropCard,
    ImageCard,
    Measurement,
    ModelCard,
)
from crystal_search.networks.network_kinds import (
    classifier_card,
    crystal_detector_card,
    drop_locator_card,
    image_classifier_card,
)
from crystal_search.outcomes import OUTCOMES
from crystal_search.training.checkpoints import CHECKPOINT, Trained, load_trained
from crystal_search.training.chop_scores import chop_scores
from crystal_search.training.crystal_source import known_image
from crystal_search.training.image_scores import image_scores
from crystal_search.training.image_source import labelled
from crystal_search.training.run_record import RUN, RunRecord, read_run

log = logging.getLogger(__name__)

MOST_CHOPS = 2000  #: that a temperature is fitted to, and no more, for the sake of time
EXAMPLES = 3  #: validation images that a detector is compared on, after its export
VALIDATION = "rendered validation wells, true drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be exported."""

    run: Path
    record: RunRecord
    name: str  #: of the model
    data: Path  #: to calibrate on
    chops: int  #: at most so many, or images, are looked at


def record_in(run: Path) -> RunRecord:
    """Return the record of the training in `run`.

    Raises
    ------
    UserError
        If there is none; of a training by an older version, the message says how to get on.
    """
    if (run / CHECKPOINT).exists() and not (run / RUN).exists():
        raise UserError(
            f"{run} has weights but no {RUN}, so an older version trained it; train for a few steps more from there: "
            f"crystal-search train chops ... --start-from {run}, and export that"
        )
    return read_run(run)


def export_run(run: Path, name: str, folder: Path, data: Path | None = None, *, chops: int = MOST_CHOPS) -> Path:
    """Calibrate and export the network whose training is in `run`; return the card's path.

    Parameters
    ----------
    run
        Folder of the training.
    name
        Of the model.
    folder
        For ``NAME.onnx`` and ``NAME.card.json``.
    data
        What a classifier is calibrated on: a dataset (default: what it was trained with).
    chops
        At most so many validation chops, or images, of a dataset are looked at.

    Raises
    ------
    UserError
        If there is no training, or nothing to calibrate on.
    ModelError
        If its weights cannot be read, or the exported numbers differ.
    """
    record = record_in(run)
    exporter = among(EXPORTERS, record.role, "exporter of trainings of the role")
    order = Order(run=run, record=record, name=name, data=data or Path(record.data), chops=chops)
    network, card = exporter(order)
    return export(network, card, folder, examples=_examples(order, card))


def _examples(order: Order, card: ModelCard) -> list[NDArray[np.float32]]:
    """Return images to compare numbers on, of a network that finds nothing in noise."""
    if not isinstance(card, CrystalCard) or card.decoding != INSTANCES:
        return []
    dataset = open_dataset(order.data)
    rows = [row for row in dataset.wells("validation") if row.part(OBJECTS)]
    greys = (known_image(dataset, row, card.sight).grey for row in sampled(rows, EXAMPLES))
    return [padded(normalised(grey, card.normalisation), card.side_multiple_px) for grey in greys]


def export_classifier(order: Order) -> tuple[nn.Module, ClassifierCard]:
    """Return a trained classifier, calibrated, and its card."""
    trained, record = load_trained(order.run), order.record
    card = classifier_card(
        order.name,
        record.architecture,
        classes=record.classes,
        normalisation=record.normalisation,
        working_width_px=record.working_width_px,
    )
    card = replace(card, training_command=record.command)
    if record.task == "cells":
        return trained.network, _calibrated_on_wells(trained, card, order.data)
    return trained.network, _calibrated_on_chops(trained, card, order.data, order.chops)


def export_drop_locator(order: Order) -> tuple[nn.Module, DropCard]:
    """Return a trained drop locator and its card."""
    card = replace(
        drop_locator_card(order.name),
        working_width_px=order.record.working_width_px,
        normalisation=order.record.normalisation,
        training_data=f"drops of {Path(order.record.data).name}",
        training_command=order.record.command,
    )
    return load_trained(order.run, "drop").network, card


def export_crystal_detector(order: Order) -> tuple[nn.Module, CrystalCard]:
    """Return a trained detector of single crystals and its card, with the probability from which crystals count."""
    network, dataset = load_trained(order.run, "crystals").network, open_dataset(order.data)
    card = replace(
        crystal_detector_card(
            *(order.name, order.record.architecture),
            normalisation=order.record.normalisation,
            working_width_px=order.record.working_width_px,
            classes=order.record.classes,
        ),
        enlarged=order.record.enlarged,
        training_data=f"crystals of {Path(order.record.data).name}",
        training_command=order.record.command,
    )
    return network, replace(card, least_probability=least_probability(network, card, dataset))


def export_image_classifier(order: Order) -> tuple[nn.Module, ImageCard]:
    """Return a trained classifier of whole images, calibrated on validation images, and its card."""
    trained, record, dataset = load_trained(order.run, "image"), order.record, open_dataset(order.data)
    card = image_classifier_card(
        *(order.name, record.architecture),
        classes=record.classes,
        normalisation=record.normalisation,
        side_px=record.working_width_px,
    )
    fitted = fitted_to(image_scores(trained, dataset, "validation", order.chops), dataset, "images")
    return trained.network, replace(
        card,
        temperature=fitted.temperature,
        training_data=learnt_from(dataset, len(labelled(dataset, "train")), "images"),
        training_command=record.command,
        measured=fitted.measured,
    )


#: What makes a network and its card of a training, by what was trained. A new kind of model is a line here.
EXPORTERS: dict[str, Callable[[Order], tuple[nn.Module, ModelCard]]] = {
    "classifier": export_classifier,
    "drop": export_drop_locator,
    "crystals": export_crystal_detector,
    "image": export_image_classifier,
}


def export_int8(card_path: Path, name: str, folder: Path, data: Path) -> Path:
    """Write an int8 version of the float32 model at `card_path`, if it is as good; return its card's path.

    Parameters
    ----------
    card_path
        Card of the float32 model.
    name
        Of the int8 model.
    folder
        For ``NAME.onnx`` and ``NAME.card.json``.
    data
        A dataset: ranges are fixed on training chops, accuracy is compared on validation chops.

    Raises
    ------
    UserError
        If the model is no classifier, or `data` holds nothing that it reads.
    ModelError
        If it loses too much in every way that is tried; nothing is written then.
    """
    model = read_model(card_path)
    if not isinstance(model.card, ClassifierCard) or model.card.role != ClassifierCard.role:
        raise UserError(f"{model.card.name} is a {model.card.title}; only classifiers become int8")
    examples = examples_in(data, model.card)
    made = quantised(in_role(model, ClassifierCard), examples)
    measure, where = f"{len(model.card.classes)}-class accuracy of chops", f"validation chops of {examples.name}"
    card = replace(
        model.card,
        name=name,
        training_data=f"{model.card.training_data}; int8 of {model.card.name} (sha256 {model.card.sha256[:12]}): "
        f"{made.rounding.name}, ranges from {CALIBRATION_CHOPS} training chops of {examples.name}".removeprefix("; "),
        measured=(
            figure(where, f"{measure}, int8", made.accuracy, made.count),
            figure(where, f"{measure}, the float32 model", made.float_accuracy, made.count),
        ),
    )
    return write_model(made.onnx, card, folder)


def _calibrated_on_wells(trained: Trained, card: ClassifierCard, data: Path) -> ClassifierCard:
    """Move the last layer's constants, and return the card with temperature and figures."""
    dataset = open_dataset(data)
    wells = list(scored_wells(trained.network, card, dataset, "validation"))
    if not wells:
        raise UserError(f"no validation wells in {data}; render some (crystal-search dataset render)")
    temperature, shifts = calibrated(wells)
    shift_logits(trained.network, shifts, temperature)
    moved = [replace(well, logits=well.logits + shifts * temperature) for well in wells]
    log.info("temperature %.3f, shifts %s", temperature, shifts.round(2).tolist())
    return replace(
        card,
        temperature=round(temperature, 4),
        training_data=f"rendered wells only: {len(dataset.wells('train'))} of {data.resolve().name}",
        measured=_well_figures(moved, temperature),
    )


def _well_figures(wells: list[ScoredWell], temperature: float) -> tuple[Measurement, ...]:
    chops, count = chop_accuracy(wells)
    groups = well_accuracy(wells, temperature, np.zeros(len(OUTCOMES)))
    on_these = f"{VALIDATION}, the wells it was calibrated on"
    return (
        figure(VALIDATION, "13-class accuracy of chops", chops, count),
        figure(on_these, "4-group accuracy of wells", groups, len(wells)),
    )


def _calibrated_on_chops(trained: Trained, card: ClassifierCard, data: Path, chops: int) -> ClassifierCard:
    """Return the card with the temperature that fits the validation chops of a dataset, and figures."""
    dataset = open_dataset(data)
    check_fit(dataset, card)
    scores = chop_scores(trained, dataset, sampled(dataset.chops("validation"), chops))
    fitted = fitted_to(scores, dataset, "chops")
    learnt = learnt_from(dataset, len(dataset.chops("train")), "chops")
    return replace(card, temperature=fitted.temperature, training_data=learnt, measured=fitted.measured)
