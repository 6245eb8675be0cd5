"""``crystal-search adapt``: what labels of one's own make of the shipped score (docs/adaptation.md)."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from crystal_search.adaptation.adapting import Adapted, adapted
from crystal_search.adaptation.labelled import CRYSTAL
from crystal_search.adaptation.readout_model import Origin, readout_model
from crystal_search.adaptation.triage import Promise
from crystal_search.arguments import count, fraction
from crystal_search.bootstrap import Interval
from crystal_search.direct.scored_files import Job, to_use
from crystal_search.evaluation.adaptation_page import adaptation_page
from crystal_search.evaluation.label_material import Material, material_of
from crystal_search.evaluation.label_table import read_labels
from crystal_search.files import write_whole
from crystal_search.model import CARD_SUFFIX, default_model, write_model
from crystal_search.model_card import ClassifierCard
from crystal_search.processes import processors
from crystal_search.work_unit import Parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--folder", type=Path, required=True, metavar="IMAGES", help="images of one imager")
    parser.add_argument("--labels", type=Path, required=True, metavar="CSV", help="file, outcome or crystal, plate")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"card of the readout, NAME{CARD_SUFFIX}")
    parser.add_argument("--page", type=Path, metavar="FILE", help="page of the plates and of what probabilities mean")
    parser.add_argument("--imager", default="", help="whose images they are; goes into the card")
    parser.add_argument("--anyway", action="store_true", help="write the readout even if it is not proven better")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument("--home", type=Path, metavar="DIR", help="an installation, whose models in use are adapted")
    parser.add_argument("--missed", type=fraction, default=0.01, help="of the crystals, at most; default: %(default)s")
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")


def run(arguments: argparse.Namespace) -> None:
    """Fit a readout to the labels, say what it is worth, and write it if it is proven better.

    Raises
    ------
    UserError
        If the labels cannot be read, or too few of the images can be scored.
    ModelMismatchError
        If the classifier gives no features.
    """
    files = read_labels(arguments.labels, arguments.folder)
    models, threshold = to_use(arguments.models, arguments.home, None)
    job = Job(models=models, parameters=Parameters(threshold=threshold, no_drop="whole_image"), overlays=None)
    material = material_of(files, arguments.folder, job, arguments.workers)
    found = adapted(material.labelled, material.everything, Promise(missed=arguments.missed))
    lines, command = list(report(found, material)), _command(arguments)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    if arguments.page:
        about = f"{found.gain.labels} labels of {arguments.imager or arguments.folder}"
        write_whole(arguments.page, adaptation_page(found, about=about, said=lines, command=command))
    if not arguments.out:
        return
    if not (found.gain.counts or arguments.anyway):
        sys.stdout.write("no readout was written, since it is not proven better; --anyway writes it even so\n")
        return
    origin = Origin(
        name=arguments.out.name.removesuffix(CARD_SUFFIX),
        imager=arguments.imager,
        fitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        images=material.names,
        command=command,
    )
    model = readout_model(found, material.labelled, default_model(ClassifierCard, models).card, origin)
    card = write_model(model.onnx, model.card, arguments.out.parent)
    sys.stdout.write(f"crystal-search score --readout {card} IMAGES --csv FILE scores with it\n")


def _command(arguments: argparse.Namespace) -> str:
    return f"crystal-search adapt --folder {arguments.folder} --labels {arguments.labels}"


def report(found: Adapted, material: Material) -> Iterator[str]:
    """Yield what was found in plain words, a line each."""
    gain, plates = found.gain, len(found.gain.plates)
    left = f"; {material.left_out} could not be scored" if material.left_out else ""
    yield f"{gain.labels} labels of {_counted(plates, 'plate')}, {gain.crystals} of them crystals{left}"
    if np.isnan(gain.difference.value):
        yield "nothing can be compared: there must be drops with crystals and drops without"
    else:
        yield from _compared(found)
    yield from (f"what would help: {each}" for each in found.advice)
    yield found.triage.said()
    if found.triage.threshold is not None:
        look = found.readout.logits(material.everything)[:, CRYSTAL] >= found.triage.threshold
        yield f"look at {look.mean():.0%} of the wells"


def _compared(found: Adapted) -> Iterator[str]:
    gain = found.gain
    yield f"the shipped score puts a drop with crystals before one without in {_percent(gain.shipped)} of pairs"
    yield f"the readout does in {_percent(gain.readout)}, on {gain.held_out}s that it has not seen"
    verdict = "proven better" if gain.counts else "not proven better"
    yield f"gained: {_percent(gain.difference)}; the readout is {verdict}"
    if gain.held_out == "drop":
        yield "all labels are of one plate: what was gained is proven for drops of this plate, not for other plates"
    yield (
        f"its probabilities of crystals are off by {_percent(found.trust.error)} in the mean, the shipped score's by "
        f"{_percent(found.shipped.error)}"
    )


def _percent(figure: Interval) -> str:
    value, low, high = (f"{100 * each:.1f}" for each in figure)
    return f"{value} % ({low} to {high})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
