"""``crystal-search models``: which models there are, and which of them new work units carry (docs/models.md)."""

import argparse
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from crystal_search.errors import ModelError, UserError
from crystal_search.evaluation.comparison import MEASURES, Comparison, compared, comparison_wells
from crystal_search.evaluation.known_images import photograph_truth
from crystal_search.evaluation.using_readout import put_readout_to_use
from crystal_search.model import Model, default_model, in_role, models_in_use, read_card, read_model
from crystal_search.model_card import (
    ROLES,
    Bounds,
    ClassifierCard,
    CrystalCard,
    FirstLookCard,
    ImageCard,
    ModelCard,
    ReadoutCard,
)
from crystal_search.named_models import Known, card_called, model_called, models_at_hand
from crystal_search.plurals import counted
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, add_home_argument, agrees, opened, recipe_of, say
from crystal_search.server.models_in_use import check_usable, forget, known_models, put_to_use
from crystal_search.server.readouts_in_use import check_not_used, idle_readouts, readouts_in_use, unuse_readout

log = logging.getLogger(__name__)

Act = Callable[[Installation, argparse.Namespace], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "list", _list, "list the models that are known, and which are in use")
    for name, act, what in (
        ("use", _use, "install a model, and have new work units carry its hash from now on"),
        ("show", _show, "print what a model's card says"),
        ("unuse", _unuse, "have the shipped score stand again for an imager for which a readout is in use"),
        (
            "forget",
            _forget,
            "take a model out of the installation, and a detector, second opinion or first look out of use",
        ),
    ):
        command = _command(commands, name, act, what)
        if name == "unuse":
            command.add_argument("imager", metavar="IMAGER", help="as `models list` names it")
            continue
        command.add_argument("model", metavar="CARD_OR_NAME", help="a card's file, or a model's name or hash")
        if name == "use":
            command.add_argument("--imager", default="", help="of a readout: whose images (default: of its labels)")
            command.add_argument("--as", dest="role", choices=ROLES, help="refuse a model that plays another role")
            command.add_argument("--anyway", action="store_true", help="without comparing it with the model in use")
            command.add_argument(
                "--photographs", type=Path, metavar="FOLDER", help="compare on these, not on the demo plate"
            )
            command.add_argument(
                "--labels", type=Path, nargs="+", metavar="CSV", help="tables of what the photographs show"
            )
            command.add_argument(
                "--no-update", action="store_true", help="with BOINC: stage it only; its files are signed elsewhere"
            )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, act: Act, what: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
    add_home_argument(command)
    command.set_defaults(act=act)
    return command


def run(arguments: argparse.Namespace) -> None:
    """Run the command that was chosen; where there is no installation, models that come with the program are told."""
    act: Act = arguments.act
    if arguments.home is None and act in TOLD_WITHOUT and not Home.at(None).is_there:
        TOLD_WITHOUT[act](arguments)
        return
    with opened(arguments.home, create=act is _use) as site:
        act(site, arguments)


def _list(site: Installation, _: argparse.Namespace) -> None:
    known, readouts = known_models(site), [*readouts_in_use(site.home).values()]
    idle = {each.used.imager: f", but idle: {each.because}" for each in idle_readouts(site)}
    width = max(len(each.card.name) for each in known)
    for each in known:
        state = (
            f"in use{f' since {each.since}' if each.since else ''}"
            if each.in_use
            else ", ".join(
                f"in use for {used.imager!r} since {used.since[:19]}{idle.get(used.imager, '')}"
                for used in readouts
                if used.sha256 == each.card.sha256
            )
        )
        say(f"{each.card.name:{width}}  {each.card.role:12}  {each.short_hash}  {state}".rstrip())
    if site.settings.models:
        say(f"{site.home.settings} says that the models are those in {site.settings.models}")


def _list_shipped(_: argparse.Namespace) -> None:
    known = models_at_hand()
    width = max(len(each.card.name) for each in known)
    for each in known:
        say(f"{each.card.name:{width}}  {each.card.role:12}  {each.short_hash}  comes with the program")
    say(f"there is no installation in {Home.at(None).path}; `crystal-search models use MODEL` makes one")


def _use(site: Installation, arguments: argparse.Namespace) -> None:
    model = read_model(card_called(arguments.model, partial(known_models, site)))
    if arguments.role not in (None, model.card.role):
        wanted = ROLES[arguments.role].title
        raise UserError(f"{model.card.name} is a {model.card.title}, not a {wanted}; name another model")
    if isinstance(model.card, ReadoutCard):
        put_readout_to_use(site, in_role(model, ReadoutCard), arguments.imager, anyway=arguments.anyway)
        return
    if arguments.imager:
        raise UserError(
            f"{model.card.name} is a {model.card.title}, which scores images of all imagers; leave --imager out"
        )
    check_usable(site, model)
    if not arguments.anyway:
        _check_no_worse(site, model, arguments)
    used = put_to_use(site, model, update=not arguments.no_update, told=say)
    say(f"{used.name} ({used.sha256[:12]}) is the {model.card.title} in use since {used.since}")
    say("images without a score by it are scored anew, the newest first; earlier scores stay")
    if model.card.role == ClassifierCard.role and FirstLookCard.role in models_in_use(site.models):
        first = default_model(FirstLookCard, site.models).card.name
        say(
            f"{first} still looks first; unless it was exported to look before {model.card.name}, export it anew, for "
            "another limit of doubt (docs/first-look.md)"
        )
    _say_scored_before(site)
    _say_idle(site)


def _say_scored_before(site: Installation) -> None:
    """Tell what becomes of images that models were in use for once, others were since, and now are again."""
    if recipe_of(site) in site.imaging.recipes():
        say(
            "images that these models scored before are not scored again: what is shown of them is the score that came "
            "last (docs/models.md)"
        )


def _say_idle(site: Installation) -> None:
    """Tell which readouts in use score nothing by the models that are in use now."""
    for idle in idle_readouts(site):
        say(idle.said)


def _unuse(site: Installation, arguments: argparse.Namespace) -> None:
    used = unuse_readout(site, arguments.imager)
    say(f"{used.name} is no longer in use for {used.imager!r}; the shipped score stands again, and its own scores stay")


def _check_no_worse(site: Installation, model: Model[ModelCard], arguments: argparse.Namespace) -> None:
    """Ask about a model that does worse than the one in use, beyond chance.

    Raises
    ------
    UserError
        If it is not wanted then, or nobody is there to be asked.
    """
    if (arguments.photographs is None) != (arguments.labels is None):
        raise UserError("--photographs and --labels go together; name both")
    if model.card.role not in MEASURES:
        say(f"{model.card.title}s are not compared; `crystal-search evaluate CARD CARD --coco FOLDER` judges several")
        return
    try:
        used = _rival(model, site.models)
    except ModelError as error:
        log.warning("not compared with the model in use: %s", error)
        return
    if used.card.sha256 == model.card.sha256:
        return
    truth = photograph_truth(arguments.photographs, arguments.labels, None) if arguments.labels else comparison_wells()
    say(f"comparing it with {used.card.name} on {truth.name} ...")
    found = compared(model, used, site.models, truth)
    said = _compared(model.card.name, used.card.name, found)
    say(said)
    if found.worse and not agrees("It is worse. Use it anyway?"):
        raise UserError(f"{model.card.name} is worse than {used.card.name} and not in use; --anyway takes it even so")


def _rival(model: Model[ModelCard], folder: Path) -> Model[ModelCard]:
    """Return the model that another would replace; where no first look is in use, the classifier that looks alone."""
    looks_alone = model.card.role == FirstLookCard.role and FirstLookCard.role not in models_in_use(folder)
    return default_model(ClassifierCard if looks_alone else type(model.card), folder)


def _compared(new: str, used: str, found: Comparison) -> str:
    ours, its, (gain, low, high) = found.new, found.used, found.gain
    return (
        f"{found.measure}, {found.images} images: {new} {ours.value:.3f} ({ours.low:.3f} to {ours.high:.3f}), "
        f"{used} {its.value:.3f} ({its.low:.3f} to {its.high:.3f}); difference {gain:+.3f} ({low:+.3f} to {high:+.3f})"
    )


def _show(site: Installation, arguments: argparse.Namespace) -> None:
    _tell(arguments.model, partial(known_models, site))


def _show_shipped(arguments: argparse.Namespace) -> None:
    _tell(arguments.model, models_at_hand)


#: What can be told without an installation.
TOLD_WITHOUT: dict[Act, Callable[[argparse.Namespace], None]] = {_list: _list_shipped, _show: _show_shipped}


def _tell(named: str, known: Known) -> None:
    path, card = _card(named, known)
    classes = counted(len(card.classes), "class", "classes")
    say(f"{card.name}: {card.title}, {card.architecture}, {classes}, sha256 {card.sha256}")
    calibrated = f"; temperature {card.temperature:g}" if isinstance(card, ClassifierCard | ImageCard) else ""
    if isinstance(card, ReadoutCard):
        _show_labels(card)
    else:
        larger = card.enlarged if isinstance(card, CrystalCard) else 1
        enlarged = f", narrower ones {larger:g} times as large" if larger > 1 else ""
        say(f"reads: {card.working_width_px} px wide{enlarged}, {card.normalisation}{calibrated}")
    if isinstance(card, FirstLookCard):
        say(f"its score counts up to a doubt of {card.most_doubt:g}, above it the classifier's does")
    say(f"learnt from: {card.training_data or 'not said'}\ntrained by: {card.training_command or 'not said'}")
    for figure in card.measured:
        say(f"  {figure.measure}: {figure.value:g} of {figure.count} ({figure.data})")
    say(f"card: {path}")


def _card(named: str, known: Known) -> tuple[Path, ModelCard]:
    """Return the card that is meant and its file; the model's own file may be lost."""
    path = card_called(named, known)
    return path, read_card(path)


def _show_labels(card: ReadoutCard) -> None:
    say(f"reads: the answers of {card.looks}")
    say(f"for images of {card.imager or 'one imager'}, fitted {card.fitted_at} to {card.training_data}")
    gain = f"AUROC {_bounded(card.difference)}, {'proven' if card.proven else 'not proven'}"
    say(f"crystals told from the rest on {card.held_out}s held out: {gain}")
    for each in card.figures:
        named = f"plate {each.plate}" if each.plate else "all"
        told = f"shipped {_bounded(each.shipped)}, readout {_bounded(each.readout)}"
        say(f"  {named}: {sum(each.counts)} labels, {each.counts[0]} of crystals: {told}")


def _bounded(found: Bounds | None) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})" if found else "not known"


def _forget(site: Installation, arguments: argparse.Namespace) -> None:
    _, card = _card(arguments.model, partial(known_models, site))
    model = model_called(card.sha256, known_models(site))
    check_not_used(site.home, model.card.sha256, model.card.name)
    if waiting := forget(site, model):
        say(
            f"{model.card.name} ({model.short_hash}) is no longer in use; {waiting} open work units name it, for "
            "which its files stay: forget it once more when they are over"
        )
    else:
        say(f"{model.card.name} ({model.short_hash}) is gone from {site.home.models}; its scores stay in the ledger")
    if model.in_use:
        say("images without a score by the models that are left in use are scored anew, the newest first")
        _say_scored_before(site)
    _say_idle(site)
