"""What readouts of many imagers have in common, learnt once for the classifier that comes with the program.

It is kept beside the classifier, under the classifier's hash: how much each standardised input adds to the log-odds of
crystals at an imager of which there are no labels yet.
"""

import json
from pathlib import Path

import numpy as np

from crystal_search.adaptation.readout import ANSWERS
from crystal_search.errors import ModelError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.metrics import Floats
from crystal_search.model import default_models_folder, features_model

PRIOR_FORMAT, PRIOR_VERSION, PRIOR_SUFFIX = "crystal-search readout prior", 1, ".prior.json"
MOST_NUMBERS, LARGEST = 4096 + ANSWERS, 1e6


def prior_in(models: Path, numbers: int) -> Floats | None:
    """Return the prior of readouts of the classifier that is used from a folder of models, as `prior_of` does.

    Raises
    ------
    ModelError
        If the folder has no classifier or several to choose from, or a prior cannot be read.
    """
    return prior_of(features_model(models).card.sha256, numbers)


def prior_of(classifier_sha256: str, numbers: int, folder: Path | None = None) -> Floats | None:
    """Return the prior of a classifier's readouts, (D + ANSWERS,); None where none was learnt.

    Parameters
    ----------
    classifier_sha256
        Hash of the classifier.
    numbers
        D, of an image: a prior for another number of them is none of theirs.
    folder
        Of the files; the program's own by default.

    Raises
    ------
    ModelError
        If a file cannot be read as one.

    Examples
    --------
    >>> prior_of("0" * 64, 384) is None
    True
    """
    for path in sorted((folder or default_models_folder()).glob(f"*{PRIOR_SUFFIX}")):
        sha256, weights = read_whole(path.read_bytes(), path.name, ModelError, _prior)
        if (sha256, len(weights)) == (classifier_sha256, numbers + ANSWERS):
            return weights
    return None


def _prior(read: Reader) -> tuple[str, Floats]:
    read.format(PRIOR_FORMAT, PRIOR_VERSION)
    numbers = read.integer("numbers", ANSWERS, MOST_NUMBERS)
    weights = read.numbers("weights", count=numbers, low=-LARGEST, high=LARGEST)
    read.text("learnt_from")
    return read.sha256("classifier_sha256"), np.array(weights)


def prior_json(classifier_sha256: str, weights: Floats, learnt_from: str) -> str:
    """Return a prior as the text of its file."""
    content = {
        "format": PRIOR_FORMAT,
        "version": PRIOR_VERSION,
        "classifier_sha256": classifier_sha256,
        "learnt_from": learnt_from,
        "numbers": len(weights),
        "weights": [float(f"{weight:.6g}") for weight in weights.tolist()],
    }
    return json.dumps(content, allow_nan=False) + "\n"
