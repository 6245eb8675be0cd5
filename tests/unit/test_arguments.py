"""Values of options."""

import argparse

import pytest

from crystal_search.arguments import count, count_or_0, fraction, length, length_or_0, micrometres, probability
from crystal_search.client import program


@pytest.mark.parametrize("text", ["0", "1.01", "-0.5", "nan", "x", ""])
def test_what_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"above 0 and at most 1"):
        fraction(text)


@pytest.mark.parametrize("text", ["-0.01", "1.01", "nan", "half"])
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be from 0 to 1, got {text}"):
        probability(text)


def test_the_ends_of_what_is_allowed() -> None:
    assert (fraction("1"), fraction("1e-9"), count("1")) == (1.0, 1e-9, 1)
    assert (probability("0"), probability("1")) == (0.0, 1.0)
    assert (count_or_0("0"), length_or_0("0"), length("1e-9")) == (0, 0.0, 1e-9)


@pytest.mark.parametrize("text", ["0", "-3", "2.5", "many"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be a whole number, at least 1, got {text}"):
        count(text)


@pytest.mark.parametrize("text", ["-1", "0.5", "none"])
def test_what_is_neither_a_count_nor_0_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be a whole number, at least 0, got {text}"):
        count_or_0(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "long"])
def test_what_is_no_length_is_refused(text: str) -> None:
    for read, expected in ((length, "above 0"), (length_or_0, "a number from 0")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"must be {expected}, got {text}"):
            read(text)


@pytest.mark.parametrize("text", ["0", "-2", "1e9", "nan", "inf", "0.009", "wide"])
def test_a_scale_that_no_microscope_has_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=rf"must be from 0.01 to 1000 micrometres, got {text}"):
        micrometres(text)


@pytest.mark.parametrize(
    "words", [["", "--out", "out"], ["unit.zip", "--out", ""], ["unit.zip", "--out", "o", "--models", ""]]
)
def test_the_clients_program_refuses_empty_names(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.parser().parse_args(words)
    assert "names no file or folder" in capsys.readouterr().err
