"""The crystal detector that a command was asked to look with."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tqdm import tqdm

from crystal_search.arguments import enlargement
from crystal_search.direct.as_installed import Installed
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.images import Sight
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model_card import CrystalCard


def add_enlarge(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how large the detector sees images."""
    parser.add_argument(
        "--enlarge",
        type=enlargement,
        metavar="FACTOR",
        help="see narrow images 1 to 4 times as large, for crystals of a few pixels (default: as the card says)",
    )


def asked_detector(arguments: argparse.Namespace, installed: Installed, *, drops: bool = False) -> Network[CrystalCard]:
    """Return the detector that ``--detector`` names, else the usual one, of `drops`; it sees as ``--enlarge`` says.

    Which share of crystals it finds is known of images as its card has them seen alone.

    Raises
    ------
    UserError
        If none has such a name.
    ModelError
        If the model cannot be used.
    """
    model = installed.detector(arguments.detector, drops=drops)
    if arguments.enlarge not in (None, model.card.enlarged):
        model = replace(model, card=replace(model.card, enlarged=arguments.enlarge, found_share=None))
    return OnnxNetwork(model, threads=arguments.threads)


def told_of_sight(found: Iterable[SearchedFile], sight: Sight) -> Iterator[SearchedFile]:
    """Yield files as they come, and warn of the first that is too wide to be seen as large as was asked for."""
    warned = sight.enlarged == 1
    for each in found:
        if not warned and (seen := sight.width_of(each.width_px)) < round(sight.enlarged * each.width_px):
            warned = True
            tqdm.write(
                f"warning: the detector sees images at most {sight.width_px} px wide: {each.path} is "
                f"{seen / each.width_px:.3g} times as large, not {sight.enlarged:g}",
                file=sys.stderr,
            )
        yield each
