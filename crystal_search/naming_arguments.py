"""Options that say how the names of images are read, for all commands that read them."""

import argparse
from collections.abc import Sequence

from crystal_search.naming import CONVENTION_NAMES, Naming, barcode_of, plate_format_of, profile_of


def add_names(parser: argparse._ActionsContainer, more: Sequence[str] = (), default: str = "auto") -> None:
    """Add the options that say which plate, well, drop and channel a name tells.

    Parameters
    ----------
    more
        Conventions beside those that tell a well.
    default
        What it is called, for people, if nothing is said.
    """
    names = ("auto", *CONVENTION_NAMES, *more)

    def several(option: str, metavar: str, purpose: str) -> None:
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=purpose)

    parser.add_argument(
        "--names", choices=names, help=f"how names are read (default: {default}, or pattern with --pattern)"
    )
    parser.add_argument("--pattern", default="", metavar="REGEX", help="your own names, with (?P<row>...) and so on")
    several("--plate-format", "[BARCODE=]WELLS", "where names count wells: of all plates, or of one")
    several("--channel", "[PROFILE=]CHANNEL", "of a RockImager profile, or of names that tell none")
    parser.add_argument("--profile", default="", metavar="N", help="the RockImager profile that is visible light")
    parser.add_argument("--plate", default="", metavar="BARCODE", help="the plate, where names do not tell it")
    parser.add_argument("--drops", default="acd", metavar="LETTERS", help="of drops 1, 2, 3 (default: %(default)s)")


def names_of(arguments: argparse.Namespace) -> Naming:
    """Return what the options of `add_names` say.

    Raises
    ------
    UserError
        If they do not go together.
    """
    formats = dict(map(plate_format_of, arguments.plate_format))
    channels = dict(map(profile_of, arguments.channel))
    if arguments.profile:
        channels[arguments.profile.casefold()] = "visible"
    return Naming(
        convention=arguments.names or ("pattern" if arguments.pattern else "auto"),
        pattern=arguments.pattern,
        plate_format=formats.pop("", None),
        plate_formats=tuple(formats.items()),
        plate=barcode_of(arguments.plate),
        channel=channels.pop("", ""),
        profiles=tuple(channels.items()),
        drops=arguments.drops.lower(),
    )
