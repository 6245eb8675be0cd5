"""``crystal-search remove``: takes back an import or a plate; files stay where they are."""

import argparse
from datetime import UTC, datetime

from crystal_search.errors import UserError
from crystal_search.naming import barcode_of
from crystal_search.plurals import counted
from crystal_search.server.imaging.stored_images import Removal, StoredImage
from crystal_search.server.importing.import_images import account
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--plate", metavar="BARCODE", help="take back a plate with all its inspections")
    what.add_argument("--import", dest="import_id", type=int, metavar="N", help="take back what an import brought")
    what.add_argument("--list", action="store_true", help="tell which imports there are and what was taken back")
    parser.add_argument("--inspection", type=int, metavar="N", help="with --plate: this inspection only")
    parser.add_argument("--why", default="", metavar="TEXT", help="kept with who did it and when")
    parser.add_argument("--person", default="", metavar="NAME", help="who does it (default: the account's name)")
    parser.add_argument("--force", action="store_true", help="also what people have scored by hand")
    add_home_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Take images back, or tell what could be and what was.

    Raises
    ------
    UserError
        If the options do not go together, there is nothing to take back, or a person has scored some of it.
    """
    if arguments.inspection is not None and not arguments.plate:
        raise UserError("--inspection goes with --plate; give both")
    with opened(arguments.home, create=False) as site:
        if arguments.list:
            say("\n".join(listed(site)))
            return
        what, images = _chosen(site, arguments)
        removal = Removal(
            person=arguments.person or account(), what=what, why=arguments.why, removed_at=datetime.now(UTC)
        )
        number = remove(site, images, removal, force=arguments.force)
    say(
        f"{counted(len(images), 'image')} of {what} taken back (removal {number}); the files are where they were, "
        "and importing them again brings them back with their scores"
    )


def remove(site: Installation, images: list[StoredImage], removal: Removal, *, force: bool = False) -> int:
    """Take images back and return the removal's number.

    Raises
    ------
    UserError
        If there is nothing to take back, or a person has scored some of it and nobody says `force`.
    """
    if not images:
        raise UserError(f"there is nothing of {removal.what}; `crystal-search remove --list` tells what there is")
    with only_service(site.home):
        ids = [image.id for image in images]
        by_hand = site.imaging.scored_by_hand(ids)
        if by_hand and not force:
            first = next(image.path for image in images if image.id in by_hand)
            raise UserError(
                f"{counted(len(by_hand), 'image')} of {removal.what} were scored by hand, {first} among them; "
                "--force takes them back all the same, their scores stay in the ledger"
            )
        return site.imaging.remove_images(ids, removal)


def _chosen(site: Installation, arguments: argparse.Namespace) -> tuple[str, list[StoredImage]]:
    """Return what is to be taken back, in words and as images."""
    if arguments.import_id is not None:
        return f"import {arguments.import_id}", site.imaging.imported(arguments.import_id)
    images = site.imaging.plate_images(barcode_of(arguments.plate))
    if arguments.inspection is None:
        return f"plate {arguments.plate}", images
    found = [image for image in images if image.key.inspection == arguments.inspection]
    return f"plate {arguments.plate}, inspection {arguments.inspection}", found


def listed(site: Installation) -> list[str]:
    """Return which imports there are, and what was taken back, as people read it."""
    lines = ["imports, the last first:"]
    for each in site.imaging.imports():
        began = each.began_at.astimezone().strftime("%Y-%m-%d %H:%M")
        lines.append(f"  {each.id}: {counted(each.images, 'image')} of {each.folder}, by {each.person}, {began}")
    lines.append("taken back, the last first:")
    for removal in site.imaging.removals():
        at = removal.removed_at.astimezone().strftime("%Y-%m-%d %H:%M")
        why = f": {removal.why}" if removal.why else ""
        images = counted(removal.images, "image")
        lines.append(f"  {removal.id}: {images} of {removal.what}, by {removal.person}, {at}{why}")
    return lines
