"""Lists for dispensers of what was found in image files: asked for, checked before the search, written after it."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.arguments import length
from crystal_search.crystals.dispensing import DispensingUm
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.direct.named_drops import NamedDrops, named_drops
from crystal_search.direct.target_files import why_not
from crystal_search.dispensers.crystal_plates import CRYSTAL_PLATES
from crystal_search.dispensers.transfer_lists import DROPLET_NL, MOST_NL, TRANSFER_LISTS, Aim, ListOptions, nowhere
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.naming import Naming
from crystal_search.naming_arguments import add_names, names_of
from crystal_search.wells import WellKey

NAMED = 5  #: images that are left out and told at the keyboard, at the most
_OPTIONS = {
    "plate": "--plate-kind",
    "volume_nl": "--volume-nl",
    "source_plate": "--source-plate",
    "source_well": "--source-well",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DispenserLists:
    """Lists that somebody asked for, and the drops that may be on them."""

    places: Mapping[str, Path]  #: where to write each, by its name in `TRANSFER_LISTS`
    options: ListOptions
    drops: NamedDrops


def add_lists(parser: argparse.ArgumentParser) -> None:
    """Add the options that ask for lists."""
    add = parser.add_argument_group("lists for dispensers (docs/exports.md)").add_argument
    for name, kind in TRANSFER_LISTS.items():
        add(f"--{name}", type=Path, metavar="CSV", help=f"write the best place in each drop as {kind.title}")
    add("--plate-kind", choices=CRYSTAL_PLATES, default="", help="which says what dispensers call its drops")
    add(
        "--volume-nl",
        type=length,
        metavar="NL",
        help=f"into each drop, a multiple of {DROPLET_NL} nl, at most {MOST_NL}",
    )
    add("--source-plate", default="", metavar="NAME", help="what to dispense from")
    add("--source-well", default="", metavar="WELL", help="the well of it")
    add_names(parser.add_argument_group("which drops these lists are of, by the names of images"), default="a robot's")


def places_of(arguments: argparse.Namespace) -> dict[str, Path]:
    """Return where to write the lists that are asked for, by their names in `TRANSFER_LISTS`."""
    told: dict[str, Path | None] = {name: getattr(arguments, name) for name in TRANSFER_LISTS}
    return {name: path for name, path in told.items() if path}


def lists_of(arguments: argparse.Namespace, images: Sequence[Path]) -> DispenserLists | None:
    """Return the lists that are asked for; None where none is.

    Raises
    ------
    UserError
        If something is missing for one of them, or the names of images tell no drops that could be on it.
    """
    options = ListOptions(
        plate_kind=arguments.plate_kind,
        volume_nl=arguments.volume_nl,
        source_plate=arguments.source_plate,
        source_well=arguments.source_well,
        said_by=_OPTIONS.__getitem__,
    )
    naming, places = names_of(arguments), places_of(arguments)
    if not places:
        if options != ListOptions(said_by=options.said_by) or naming != Naming():
            asked = " or ".join(f"--{name}" for name in TRANSFER_LISTS)
            raise UserError(f"kinds of plates, sources and names of images are for lists; name a file by {asked}")
        return None
    drops = named_drops(images, naming, options.plate)
    for name in places:
        TRANSFER_LISTS[name].check(list(drops.keys.values()), options)
    return DispenserLists(places=places, options=options, drops=drops)


def write_lists(lists: DispenserLists, found: Sequence[SearchedFile], rule: DispensingUm) -> None:
    """Write the lists, and tell which drops and images are not on them, and why.

    Raises
    ------
    UserError
        If there is a place to dispense at in no drop.
    """
    searched = {each.path: each for each in found}
    aims = {key: _aim(key, searched[path]) for path, key in lists.drops.keys.items()}
    refused = {path: why_not(searched[path], rule) for path, key in lists.drops.keys.items() if aims[key] is None}
    there = [aim for aim in aims.values() if aim]
    if not there:
        raise nowhere([f"{path}: {reason}" for path, reason in refused.items()])
    for name, path in lists.places.items():
        write_whole(path, TRANSFER_LISTS[name].write(there, lists.options))
        sys.stdout.write(f"{len(there)} of {len(aims)} drops are in {path}\n")
    left_out = [*refused.items(), *lists.drops.untold.items()]
    sys.stderr.writelines(f"left out: {path}: {reason}\n" for path, reason in left_out[:NAMED])
    if len(left_out) > NAMED:
        sys.stderr.write(f"left out: {len(left_out) - NAMED} more; --dispense CSV tells all\n")


def _aim(key: WellKey, found: SearchedFile) -> Aim | None:
    """Return the best place in a drop; None where there is none."""
    if found.dispense is None or found.um_per_px is None or not found.dispense.points:
        return None
    best = found.dispense.points[0]
    down, right = best.row - found.height_px / 2, best.column - found.width_px / 2
    return Aim(key=key, offsets_um=((found.um_per_px * down, found.um_per_px * right),))
