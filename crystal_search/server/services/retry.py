"""``crystal-search retry``: tries images again now that have no score, or were called unreadable."""

import argparse
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass

from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What one run did."""

    postponed: int  #: images that were put off, and are due now
    unreadable: int  #: images that were called unreadable, and are looked at anew; what was said stays in the ledger


def retry(site: Installation, *, plate: str = "", path: str = "", reason: str = "") -> Retried:
    """Have images tried again by the next create-work.

    Parameters
    ----------
    site
        The installation.
    plate
        Only images of this plate.
    path
        Only images whose path fits this pattern, with ``*`` and ``?`` as in a shell.
    reason
        Only images whose reason has this text in it.
    """

    def chosen(images: list[StoredImage], why: Callable[[StoredImage], str]) -> list[int]:
        return [
            image.id
            for image in images
            if plate in ("", image.key.plate)
            and (not path or fnmatch.fnmatchcase(image.path, path))
            and (not reason or reason in why(image))
        ]

    waiting = site.imaging.postponed_images()
    reasons = site.imaging.postponements([image.id for image in waiting])
    postponed = chosen(waiting, lambda image: reasons[image.id].reason if image.id in reasons else "")
    unreadable = chosen(site.imaging.unreadable_images(), lambda image: _verdict(site, image))
    site.imaging.take_up(postponed)
    site.imaging.discount_scores(unreadable)
    return Retried(postponed=len(postponed), unreadable=len(unreadable))


def _verdict(site: Installation, image: StoredImage) -> str:
    """Return why an image was called unreadable last."""
    found = [getattr(score, "found", None) for score in site.imaging.ledger(image.id)]
    return next((each.error or "" for each in reversed(found) if each), "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--plate", default="", metavar="BARCODE", help="only images of this plate")
    parser.add_argument("--path", default="", metavar="PATTERN", help="only images with such paths: '/share/a/*'")
    parser.add_argument("--reason", default="", metavar="TEXT", help="only images whose reason has this in it")


def run(arguments: argparse.Namespace) -> None:
    """Have images tried again and say how many."""
    with opened(arguments.home, create=False) as site, only_service(site.home):
        done = retry(site, plate=arguments.plate, path=arguments.path, reason=arguments.reason)
    say(f"{done.postponed} images that waited, and {done.unreadable} that were called unreadable, are tried again")
