"""Models as people name them, in whatever option."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.commands import AMONG_FILES, COMMANDS, CommandParser, parser_for
from crystal_search.demo.truth import plate_folder
from crystal_search.direct.as_installed import as_installed
from crystal_search.errors import ModelMismatchError, UnknownNameError, UserError
from crystal_search.evaluation.contenders import networks_called
from crystal_search.exit_codes import OK
from crystal_search.main import main
from crystal_search.model import default_model, default_models_folder, read_card, write_model
from crystal_search.model_card import ClassifierCard, CrystalCard, ReadoutCard
from crystal_search.named_models import card_called, model_called, models_at_hand, named_model
from crystal_search.server.home import Home
from tests.tiny_detector import tiny_detector

DETECTOR, CLASSIFIER = default_model(CrystalCard).card, default_model(ClassifierCard).card


def test_a_shipped_model_is_called_by_name_hash_or_card() -> None:
    card = default_models_folder() / f"{DETECTOR.name}.card.json"
    for called in (DETECTOR.name, DETECTOR.sha256, DETECTOR.sha256[:12], str(card)):
        assert card_called(called, models_at_hand, CrystalCard) == card
    assert networks_called([Path(DETECTOR.name), card, default_models_folder()]) == [card, card, card.parent]


def test_what_is_not_there_is_refused_with_the_models_of_that_role() -> None:
    shipped = rf"{DETECTOR.name} \({DETECTOR.sha256[:12]}\), drop-crystals-1 \([0-9a-f]{{12}}\)"
    listed = rf"^no model 'dense', and no .*; choose from {shipped}, or give a card"
    with pytest.raises(UnknownNameError, match=listed):
        named_model("dense", CrystalCard)
    with pytest.raises(UnknownNameError, match="no model 'RI1000-0081', and no such file or folder; give a card"):
        named_model("RI1000-0081", ReadoutCard)
    with pytest.raises(ModelMismatchError, match=f"{CLASSIFIER.name} is a classifier, expected a crystal detector"):
        named_model(CLASSIFIER.name, CrystalCard)
    with pytest.raises(UserError, match="is a folder; name a card in it"):
        named_model(str(default_models_folder()), CrystalCard)


def test_of_two_models_of_one_name_the_role_decides_else_the_hash(tmp_path: Path) -> None:
    twin = write_model(b"another file", replace(CLASSIFIER, name=DETECTOR.name), tmp_path)
    known = models_at_hand([tmp_path])
    assert model_called(DETECTOR.name, known, CrystalCard).card == DETECTOR
    with pytest.raises(UnknownNameError, match=f"2 models are called '{DETECTOR.name}'.*give the hash"):
        model_called(DETECTOR.name, known)
    (hash_of_twin,) = (each.short_hash for each in known if each.path == twin)
    assert model_called(hash_of_twin, known).path == twin


def test_of_an_installation_a_detector_is_called_by_its_name_and_the_one_in_use_need_not_be(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    card = tiny_detector(home.models)
    ours = read_card(card)
    assert as_installed(home.path).detector(None).card == DETECTOR
    assert as_installed(home.path).detector(ours.name).card == ours
    assert main(["models", "use", ours.name, "--home", str(home.path)]) == OK
    assert as_installed(home.path).detector(None).card == ours
    assert as_installed(home.path).detector(DETECTOR.name).card == DETECTOR
    with pytest.raises(UnknownNameError, match=f"{DETECTOR.name} .*, {ours.name} "):
        as_installed(home.path).detector("other")


@pytest.mark.parametrize(
    "words",
    [
        ("score", "DEMO", "--detector", ""),
        ("score", "DEMO", "--readout", ""),
        ("crystals", "DEMO", "--csv", "e.csv", "--detector", ""),
        ("crystals", "sizes", "DEMO", "--csv", "e.csv", "--detector", ""),
    ],
)
def test_an_empty_name_is_that_of_no_model(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = plate_folder() if "sizes" in words else plate_folder() / "demo_10D_1.jpg"
    assert main([str(picture) if word == "DEMO" else word for word in words]) != OK
    assert "no model ''" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_no_option_of_any_command_takes_an_empty_name_for_the_current_folder() -> None:
    asked = [(parser, action) for _, parser in parsers() for action in parser._actions if action.type is Path]
    assert {"--home", "--models", "--csv", "--start-from"} <= {
        name for _, each in asked for name in each.option_strings
    }
    for parser, action in asked:
        with pytest.raises(argparse.ArgumentError, match="names no file or folder"):
            parser._get_value(action, "")


def parsers() -> Iterator[tuple[str, CommandParser]]:
    waiting = [(command, parser_for(command)) for command in (*COMMANDS, *AMONG_FILES)]
    while waiting:
        name, parser = waiting.pop()
        yield name, parser
        waiting += [(f"{name} {each}", inner) for each, inner in parser.commands.items()]


NUMBERS = ("int", "count", "count_or_0", "float", "length", "length_or_0", "micrometres", "square_side")
KINDS = dict.fromkeys(NUMBERS, "a number") | {
    "str": "text",
    "card_named": "Path",
}


def meaning(action: argparse.Action) -> object:
    """Return what kind of value an option takes, as far as that can be told."""
    kind = getattr(action.type, "__name__", "text")
    return "no value" if action.nargs == 0 else KINDS.get(kind, kind)


def test_an_option_means_one_thing_in_all_commands() -> None:
    meanings: dict[str, dict[object, list[str]]] = {}
    for name, parser in parsers():
        for option, action in parser.options.items():
            meanings.setdefault(option, {}).setdefault(meaning(action), []).append(name)
    assert {option: told for option, told in meanings.items() if len(told) > 1} == {}


def test_a_detector_is_named_alike_everywhere() -> None:
    detectors = [parser.options["--detector"] for _, parser in parsers() if "--detector" in parser.options]
    assert len(detectors) == 4
    assert {(each.metavar, each.type) for each in detectors} == {("CARD_OR_NAME", None)}
