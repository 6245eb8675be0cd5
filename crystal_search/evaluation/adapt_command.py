"""``crystal-search adapt``: what labels of one's own make of the shipped score (docs/adaptation.md)."""

import argparse
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from crystal_search.adaptation.adapting import Adapted, adapted
from crystal_search.adaptation.imager_prior import prior_in
from crystal_search.adaptation.labelled import CRYSTAL
from crystal_search.adaptation.readout_model import Origin, readout_model
from crystal_search.adaptation.triage import Promise
from crystal_search.arguments import count, fraction, path_named
from crystal_search.bootstrap import Interval
from crystal_search.direct.as_installed import as_installed
from crystal_search.direct.scored_files import Job
from crystal_search.errors import UserError
from crystal_search.evaluation.adaptation_page import adaptation_page, check_drawing
from crystal_search.evaluation.home_material import home_material, imager_meant
from crystal_search.evaluation.label_material import Material, material_of
from crystal_search.evaluation.label_table import read_labels
from crystal_search.evaluation.using_readout import put_readout_to_use
from crystal_search.files import write_whole
from crystal_search.model import CARD_SUFFIX, Model, features_model, looks_in, write_model
from crystal_search.model_card import ReadoutCard
from crystal_search.plurals import counted
from crystal_search.processes import processors
from crystal_search.server.imagers import file_name_of
from crystal_search.server.installation import agrees, opened
from crystal_search.server.models_in_use import install
from crystal_search.server.services.readout_offers import note_fit
from crystal_search.work_unit import Parameters

MISSED = Promise().missed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--folder", type=Path, metavar="IMAGES", help="images of one imager, without a database")
    parser.add_argument(
        "--labels", type=Path, nargs="+", metavar="CSV", help="with --folder: tables of file, outcome or crystal, plate"
    )
    parser.add_argument("--out", type=card_named, metavar="FILE", help=f"card of the readout, NAME{CARD_SUFFIX}")
    parser.add_argument("--page", type=Path, metavar="FILE", help="page of the plates and of what probabilities mean")
    parser.add_argument("--imager", default="", help="whose images they are; of --home, whose labels are taken")
    parser.add_argument("--anyway", action="store_true", help="write the readout even if it is not proven better")
    parser.add_argument("--use", action="store_true", help="with --home: score the imager's images with it from now on")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="an installation, whose models in use are adapted; without --folder to what people scored in its viewer",
    )
    parser.add_argument(
        "--missed", type=fraction, default=MISSED, help="of the crystals, at most; default: %(default)s"
    )
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")
    parser.set_defaults(writes=("out", "page"))


def card_named(text: str) -> Path:
    """Return the card of a readout that somebody names by all of a card's suffix, part of it, or none.

    >>> {card_named(f"lab/ours{suffix}").name for suffix in (".card.json", ".readout.json", ".json", "")}
    {'ours.card.json'}

    Raises
    ------
    argparse.ArgumentTypeError
        If the name is empty, or a folder's; argparse tells the user.
    """
    out = path_named(text)
    if out.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a card in it, as {out / f'ours{CARD_SUFFIX}'}")
    suffixes = (each for each in (CARD_SUFFIX, ReadoutCard.suffix, ".json") if out.name.endswith(each))
    return out.with_name((out.name.removesuffix(next(suffixes, "")) or out.name) + CARD_SUFFIX)


def run(arguments: argparse.Namespace) -> None:
    """Fit a readout to labels, say what it is worth, and write it if it is proven better.

    Raises
    ------
    UserError
        If the labels cannot be read, or too few of the images can be scored.
    ModelMismatchError
        If the classifier gives no features.
    """
    if arguments.use and (arguments.folder or arguments.out or not arguments.home):
        raise UserError("--use takes the readout of what people scored in a viewer into the home: name --home alone")
    if arguments.page:
        check_drawing()
    if arguments.folder and arguments.labels:
        _adapt_to_folder(arguments)
    elif arguments.home and not (arguments.folder or arguments.labels):
        _adapt_to_viewer(arguments)
    else:
        raise UserError("name --folder and --labels, or --home alone: what people scored in its viewer")


def _adapt_to_folder(arguments: argparse.Namespace) -> None:
    files = read_labels(arguments.labels, arguments.folder)
    installed = as_installed(arguments.home, models=arguments.models)
    parameters = Parameters(threshold=installed.settings.threshold)
    job = Job(models=installed.models, parameters=parameters, overlays=None)
    material = material_of(files, arguments.folder, job, arguments.workers)
    model = _fitted(arguments, material, installed.models, imager=arguments.imager)
    if arguments.out and _is_wanted(model, arguments):
        _write(model, arguments)


def _adapt_to_viewer(arguments: argparse.Namespace) -> None:
    with opened(arguments.home, create=False) as site:
        imager = imager_meant(site, arguments.imager)
        material = home_material(site, imager)
        model = _fitted(arguments, material, site.models, imager=imager)
        note_fit(site, imager, len(material.labelled) + material.left_out)
        if not _is_wanted(model, arguments):
            return
        if arguments.out:
            _write(model, arguments)
            return
        card = install(model, site.home)
        if arguments.use or agrees(f"Score images of {imager!r} with it from now on?"):
            put_readout_to_use(site, model, imager, anyway=arguments.anyway)
        else:
            _say_how_to_use(card, arguments)
            sys.stdout.write(
                f"crystal-search models use {card} --home {arguments.home} has it score its imager's images\n"
            )


def _fitted(arguments: argparse.Namespace, material: Material, models: Path, *, imager: str) -> Model[ReadoutCard]:
    """Return the readout of labels, and say what it is worth."""
    command = command_of(arguments, imager)
    classifier = features_model(models).card
    promise, numbers = Promise(missed=arguments.missed), material.everything.features.shape[1]
    found = adapted(material.labelled, material.everything, promise, prior=prior_in(models, numbers))
    lines = list(report(found, material))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    if arguments.page:
        about = f"{found.gain.labels} labels of {imager or arguments.folder}"
        write_whole(arguments.page, adaptation_page(found, about=about, said=lines, command=command))
    origin = Origin(
        name=arguments.out.name.removesuffix(CARD_SUFFIX) if arguments.out else file_name_of(imager),
        imager=imager,
        fitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        images=material.names,
        command=command,
        behind_sha256=looks_in(models).behind,
    )
    return readout_model(found, material.labelled, classifier, origin)


def command_of(arguments: argparse.Namespace, imager: str) -> str:
    """Return the command that fits the same readout again, with all that it depends on."""
    words = ["crystal-search", "adapt"]
    for name in ("folder", "labels", "home", "models"):
        if value := getattr(arguments, name):
            words += [f"--{name}", *map(str, value if name == "labels" else [value])]
    words += ["--imager", imager] if imager else []
    words += ["--missed", f"{arguments.missed:g}"] if arguments.missed != MISSED else []
    return shlex.join([*words, *(["--anyway"] if arguments.anyway else [])])


def _is_wanted(model: Model[ReadoutCard], arguments: argparse.Namespace) -> bool:
    if model.card.proven or arguments.anyway:
        return True
    sys.stdout.write("no readout was written, since it is not proven better; --anyway writes it even so\n")
    return False


def _write(model: Model[ReadoutCard], arguments: argparse.Namespace) -> None:
    _say_how_to_use(write_model(model.onnx, model.card, arguments.out.parent), arguments)


def _say_how_to_use(card: Path, arguments: argparse.Namespace) -> None:
    """Say which command scores with a readout and the models that it was fitted to."""
    models = {"--home": arguments.home, "--models": arguments.models}
    options = "".join(f" {option} {place}" for option, place in models.items() if place)
    sys.stdout.write(f"crystal-search score --readout {card}{options} IMAGES --csv FILE scores with it\n")


def report(found: Adapted, material: Material) -> Iterator[str]:
    """Yield what was found in plain words, a line each."""
    gain, plates = found.gain, len(found.gain.plates)
    more = f"{material.left_out} more {'is' if material.left_out == 1 else 'are'}"
    left = f"; {more} of images without a drop, or without a score" if material.left_out else ""
    yield f"{counted(gain.labels, 'label')} of {counted(plates, 'plate')}, {gain.crystals} of them crystals{left}"
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
