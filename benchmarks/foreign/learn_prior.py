"""Learn what readouts of many imagers have in common: ``python -m benchmarks.foreign.learn_prior OUT``.

The imagers are those of `drawn_imagers`, scored by the package's own models, or those of ``--models``. One logistic
regression is fitted to the wells of all of them, each imager's inputs standardised on their own.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.foreign.drawn_imagers import PLATES, wells_of_drawn
from benchmarks.foreign.foreign_scores import ForeignScores, scored
from crystal_search.adaptation.held_out import FROM_PRIOR
from crystal_search.adaptation.imager_prior import prior_json
from crystal_search.adaptation.labelled import CRYSTAL, Seen
from crystal_search.adaptation.logistic import fitted, logit, spanned
from crystal_search.adaptation.readout import LEAST_SHARE, inputs, scale_of
from crystal_search.files import write_whole
from crystal_search.metrics import Floats
from crystal_search.model import default_models, default_models_folder
from crystal_search.scoring.pipeline import Models, loaded

IMAGERS = 23
PENALTY = 0.5  #: chosen by leaving out a sixth of the imagers after the other

Known = tuple[Seen, NDArray[np.bool_]]  #: images of one imager, and which show crystals


def prior_from(imagers: Sequence[Known]) -> Floats:
    """Return what standardised inputs add to the log-odds of crystals, (D + ANSWERS,), at all imagers alike."""
    standard, offsets, crystals = [], [], []
    for seen, crystal in imagers:
        scale = scale_of(seen)
        divisors = scale.divisors(FROM_PRIOR.numbers)
        standard.append((inputs(seen) - scale.mean) / divisors)
        shipped = logit(seen.peaks[:, CRYSTAL], least=LEAST_SHARE)
        offsets.append(FROM_PRIOR.trust * (shipped - shipped.mean()))
        crystals.append(crystal)
    span = spanned(np.concatenate(standard))
    line = fitted(span, np.concatenate(crystals), np.concatenate(offsets), penalty=PENALTY)
    return np.asarray(line.weights * scale.spread / divisors)  # the same shares at every imager


def known_imagers(models: Models) -> Iterator[Known]:
    """Yield the wells of each imager in which a drop was found."""
    for number in range(IMAGERS):
        found = ForeignScores(**scored(list(wells_of_drawn(number)), models))  # type: ignore[arg-type]
        there = found.located
        yield (
            Seen(features=found.features[there], peaks=found.peaks[there], means=found.means[there]),
            found.crystal[there],
        )


def main() -> None:
    """Render, score, fit, and write the prior."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foreign.learn_prior", description=__doc__)
    parser.add_argument("out", type=Path, help="file to write, NAME.prior.json")
    parser.add_argument("--models", type=Path, help="folder of the models (default: the package's own)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models = loaded(default_models(arguments.models or default_models_folder()))
    imagers = list(known_imagers(models))
    wells = sum(len(crystal) for _, crystal in imagers)
    about = f"{wells} rendered wells of {IMAGERS} drawn imagers, {PLATES} plates each"
    write_whole(arguments.out, prior_json(models.gives_features.card.sha256, prior_from(imagers), about))


if __name__ == "__main__":
    main()
