"""Values of options that several commands read alike."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


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


def number_that(kind: Callable[[str], Number], text: str, holds: Callable[[Number], bool], expected: str) -> Number:
    """Return the number that a text is, if `holds` says that it may be.

    >>> number_that(int, "8", lambda value: value % 2 == 0, "an even number")
    8

    Raises
    ------
    argparse.ArgumentTypeError
        If it is no number or another one, with what was `expected`; argparse tells the user.
    """
    try:
        value = kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {expected}, got {text}") from error
    if not holds(value):
        raise argparse.ArgumentTypeError(f"must be {expected}, got {text}")
    return value


def fraction(text: str) -> float:
    """Return a number above 0 and at most 1.

    >>> fraction("0.85")
    0.85

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(float, text, lambda value: 0 < value <= 1, "above 0 and at most 1")


def probability(text: str) -> float:
    """Return a number from 0, which lets everything through, to 1.

    >>> probability("0")
    0.0

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return within(text, 0, 1)


def count(text: str) -> int:
    """Return a whole number from 1.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(int, text, lambda value: value >= 1, "a whole number, at least 1")


def count_or_0(text: str) -> int:
    """Return a whole number from 0.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(int, text, lambda value: value >= 0, "a whole number, at least 0")


def length(text: str) -> float:
    """Return a finite number above 0.

    >>> length("1.85")
    1.85

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(float, text, lambda value: 0 < value < float("inf"), "above 0")


def length_or_0(text: str) -> float:
    """Return a finite number from 0.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(float, text, lambda value: 0 <= value < float("inf"), "a number from 0")


def enlargement(text: str) -> float:
    """Return how many times images are seen enlarged, from 1 to 4.

    >>> enlargement("2")
    2.0

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    from crystal_search.model_card import MOST_ENLARGED

    return within(text, 1.0, MOST_ENLARGED)


def micrometres(text: str) -> float:
    """Return a length that a microscope tells apart, in micrometres: the size of a pixel, the step of a stack.

    >>> micrometres("0.59")
    0.59

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    from crystal_search.formats.scale import PIXEL_UM

    return within(text, *PIXEL_UM, unit=" micrometres")


def within(text: str, low: float, high: float, *, unit: str = "") -> float:
    """Return a number from `low` to `high`.

    >>> within("20", 0.1, 3600, unit=" seconds")
    20.0

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none, with the bounds and the `unit`; argparse tells the user.
    """
    return number_that(float, text, lambda value: low <= value <= high, f"from {low:g} to {high:g}{unit}")
