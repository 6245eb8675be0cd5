"""The temperature that fits what a network says of samples which it was not trained on, and the figures of its card."""

from dataclasses import dataclass

import numpy as np

from crystal_search.datasets.packed import PackedDataset, SampleRow
from crystal_search.errors import UserError
from crystal_search.exporting.calibration import calibration_error, likeliest_temperature
from crystal_search.model_card import Measurement
from crystal_search.scoring.classify import probabilities
from crystal_search.training.chop_scores import SampleScores


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A temperature, and what was measured with it."""

    temperature: float
    measured: tuple[Measurement, ...]


def fitted_to(scores: SampleScores[SampleRow], dataset: PackedDataset, of: str) -> Fitted:
    """Return the likeliest temperature of scores of validation samples, which are called `of`, with figures.

    Raises
    ------
    UserError
        If there are none.
    """
    count = len(scores.labels)
    if not count:
        raise UserError(f"{dataset.folder} has no validation {of} to calibrate on; name another --data")
    logits = scores.logits.astype(np.float64)  # (samples, classes)
    temperature = round(likeliest_temperature(logits, scores.labels), 4)
    data, error = f"validation {of} of {dataset.folder.resolve().name}", f"expected calibration error of {of}"
    right = float((logits.argmax(axis=1) == scores.labels).mean())
    before, after = (calibration_error(probabilities(logits, t), scores.labels) for t in (1.0, temperature))
    measured = (
        figure(data, f"{logits.shape[1]}-class accuracy of {of}", right, count),
        figure(data, f"{error} before the temperature", before, count),
        figure(f"{data}, those it was fitted to", f"{error} after the temperature", after, count),
    )
    return Fitted(temperature=temperature, measured=measured)


def learnt_from(dataset: PackedDataset, count: int, of: str) -> str:
    """Return what a card says of the training data: `count` samples, which are called `of`, of a dataset."""
    return f"{count} training {of} of {dataset.folder.resolve().name}: {'; '.join(dataset.about.sources)}"


def figure(data: str, measure: str, value: float, count: int) -> Measurement:
    """Return a figure as cards have it, to four decimals."""
    return Measurement(data=data, measure=measure, value=round(value, 4), count=count)
