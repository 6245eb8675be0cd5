"""Names that must be among those that are known: of a registry, of settings, of what a home or a file holds."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from crystal_search.errors import UnknownNameError

Value = TypeVar("Value")
LONGEST = 60  #: characters of a name that are repeated; it may come from a file or a browser


def among(registry: Mapping[str, Value], name: str, what: str, *, where: str = "", which: str = "") -> Value:
    """Return what is registered as `name`.

    >>> among({"uv": 1, "shg": 2}, "shg", "channel")
    2

    Raises
    ------
    UnknownNameError
        If nothing is; the message is that of `unknown_name`.
    """
    if name not in registry:
        raise unknown_name(registry, name, what, where=where, which=which)
    return registry[name]


def check_among(known: Iterable[str], name: str, what: str, *, where: str = "", which: str = "") -> None:
    """Go on only if `name` is known.

    Raises
    ------
    UnknownNameError
        If it is not; the message is that of `unknown_name`.
    """
    names = tuple(known)
    if name not in names:
        raise unknown_name(names, name, what, where=where, which=which)


def unknown_name(known: Iterable[str], name: str, what: str, *, where: str = "", which: str = "") -> UnknownNameError:
    """Return the error that tells what there is to choose from, in the order of `known`.

    Parameters
    ----------
    known
        The names there are.
    name
        That was given.
    what
        What it should name, in the singular, without an article.
    where
        The file or the setting that names it; nothing where a person typed it.
    which
        Words after the name, that tell such things from others of their kind.

    >>> str(unknown_name(["uv", "shg"], "ir", "channel"))
    "no channel 'ir'; choose from uv, shg"
    >>> str(unknown_name([], "RI1", "imager", where="settings.toml", which="with images"))
    "settings.toml: no imager 'RI1' with images; there are none"
    """
    shown = repr(name) if len(name) <= LONGEST else f"{name[:LONGEST]!r}..."
    listed = ", ".join(known)
    choice = f"choose from {listed}" if listed else "there are none"
    told = " ".join(filter(None, ("no", what, shown, which)))
    return UnknownNameError(f"{where}: {told}; {choice}" if where else f"{told}; {choice}")
