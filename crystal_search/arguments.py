"""Values of options that several commands read alike."""

import argparse
from pathlib import Path


def path_named(text: str) -> Path:
    """Return the path that is named; all options and arguments of the type `Path` are read so.

    Raises
    ------
    argparse.ArgumentTypeError
        If the name is empty, as that of a variable which a script did not set; argparse tells the user.
    """
    if not text:
        raise argparse.ArgumentTypeError("got '', which names no file or folder; name one, or leave this out")
    return Path(text)


def fraction(text: str, *, or_0: bool = False) -> float:
    """Return a number above 0, or from 0 on, and at most 1.

    >>> fraction("0.85"), fraction("0", or_0=True)
    (0.85, 0.0)

    Raises
    ------
    ValueError, argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    value = float(text)
    if not 0 <= value <= 1 or (value == 0 and not or_0):
        raise argparse.ArgumentTypeError(f"must be {'from 0 to' if or_0 else 'above 0 and at most'} 1, got {text}")
    return value


def probability(text: str) -> float:
    """Return a `fraction` that may be 0, which lets everything through."""
    return fraction(text, or_0=True)


def count(text: str) -> int:
    """Return a whole number from 1.

    Raises
    ------
    ValueError, argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def length(text: str) -> float:
    """Return a finite number above 0.

    >>> length("1.85")
    1.85

    Raises
    ------
    ValueError, argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


def enlargement(text: str) -> float:
    """Return how many times images are seen enlarged, from 1 to 4.

    >>> enlargement("2")
    2.0

    Raises
    ------
    ValueError, argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    from crystal_search.model_card import MOST_ENLARGED

    return _number_within(text, 1.0, MOST_ENLARGED)


def micrometres(text: str) -> float:
    """Return a length that a microscope tells apart, in micrometres: the size of a pixel, the step of a stack.

    >>> micrometres("0.59")
    0.59

    Raises
    ------
    ValueError, argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    from crystal_search.formats.scale import PIXEL_UM

    return _number_within(text, *PIXEL_UM, unit=" micrometres")


def _number_within(text: str, low: float, high: float, *, unit: str = "") -> float:
    value = float(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be from {low:g} to {high:g}{unit}, got {text}")
    return value
