"""What options of a training say of words that they do not take."""

import argparse

import pytest

from crystal_search.main import main
from crystal_search.training.requests import below_1, phases_in, square_side


@pytest.mark.parametrize("text", ["", "256", "256x", "256x0", "256xinf", "256x-1", "256x2,", "x2", "all"])
def test_phases_that_are_none_are_told_what_they_look_like(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"SIDExEPOCHS, as 256x2,384x1.5, got '{text}'"):
        phases_in(text)


@pytest.mark.parametrize("side", ["32", "255", "1056"])
def test_a_side_that_networks_cannot_halve_is_refused(side: str) -> None:
    for read in (square_side, lambda text: phases_in(f"{text}x2")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"a multiple of 32 from 64 to 1024 px, got {side}"):
            read(side)


@pytest.mark.parametrize("text", ["1", "-0.1", "nan", "x"])
def test_a_share_of_all_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be from 0 to below 1, got {text}"):
        below_1(text)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--rate", "-1", "must be above 0"),
        ("--rate", "nan", "must be above 0"),
        ("--label-smoothing", "7", "below 1"),
        ("--workers", "-3", "at least 0"),
        ("--patience", "-1", "at least 0"),
        ("--checkpoint-minutes", "-5", "a number from 0"),
        ("--threads", "0", "at least 1"),
    ],
)
def test_a_training_that_could_only_fail_is_not_begun(
    option: str, value: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "chops", "--network", "squeezenet", "--data", "d", "--out", "o", option, value])
    assert f"argument {option}: must be" in (said := capsys.readouterr().err)
    assert f"{why}, got {value}" in said
