"""Trained networks made into model files: calibrated on validation wells, exported, described."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from crystal_search.artefacts import Measurement
from crystal_search.errors import UserError
from crystal_search.networks.calibration import (
    ScoredWell,
    calibrated,
    chop_accuracy,
    scored_wells,
    shift_logits,
    well_accuracy,
)
from crystal_search.networks.cards import classifier_card, drop_locator_card
from crystal_search.networks.checkpoints import load_checkpoint
from crystal_search.networks.export import export
from crystal_search.networks.registry import build
from crystal_search.outcomes import OUTCOMES
from crystal_search.unet_drop.network import UNet

log = logging.getLogger(__name__)


class Origin(TypedDict):
    """What a card says about where its weights come from."""

    training_data: str
    training_command: str


VALIDATION = "rendered validation wells, true drop"


def export_drop_locator(run: Path, name: str, models: Path, origin: Origin) -> Path:
    """Export the U-Net whose training is in `run`; `origin` goes into the card."""
    network = UNet()
    load_checkpoint(run, network)
    return export(network, replace(drop_locator_card(name), **origin), models)


def export_classifier(run: Path, name: str, models: Path, origin: Origin, *, shards: Path) -> Path:
    """Calibrate and export the classifier whose training is in `run`; `origin` goes into the card.

    Raises
    ------
    UserError
        If `shards` has no validation wells.
    """
    card = replace(classifier_card(name), **origin)
    network = build(card.architecture, len(OUTCOMES))
    load_checkpoint(run, network)
    network.eval()
    wells = list(scored_wells(network, card, shards, "validation"))
    if not wells:
        raise UserError(f"no validation wells in {shards}; render some (crystal-search train shards)")
    temperature, shifts = calibrated(wells)
    shift_logits(network, shifts, temperature)
    moved = [replace(well, logits=well.logits + shifts * temperature) for well in wells]
    measured = _figures(moved, temperature)
    log.info("temperature %.3f, shifts %s, %s", temperature, shifts.round(2).tolist(), measured)
    return export(network, replace(card, temperature=round(temperature, 4), measured=measured), models)


def _figures(wells: list[ScoredWell], temperature: float) -> tuple[Measurement, ...]:
    chops, count = chop_accuracy(wells)
    nothing = np.zeros(len(OUTCOMES))
    groups = well_accuracy(wells, temperature, nothing)
    return (
        Measurement(data=VALIDATION, measure="13-class accuracy of chops", value=round(chops, 4), count=count),
        Measurement(
            data=f"{VALIDATION}, the wells it was calibrated on",
            measure="4-group accuracy of wells",
            value=round(groups, 4),
            count=len(wells),
        ),
    )
