from pathlib import Path

import numpy as np
import pytest

from crystal_search.class_schemes import (
    SCHEMES,
    TRAINABLE,
    class_labelled,
    columns_by_outcome,
    in_outcomes,
    names_listed,
    scheme_named,
    scheme_of,
)
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.outcomes import BY_NAME, GROUPS, OUTCOME_NAMES, OUTCOMES, Group, classes_of

KING_TABLE_1 = {
    "Clear": "clear",
    "Contaminated": "other",
    "Light Precipitate": "precipitate",
    "Heavy Precipitate": "precipitate",
    "Phase Separation": "other",
    "Spherulites": "other",
    "Microcrystals": "crystal",
    "1D Crystals": "crystal",
    "2D Crystals": "crystal",
    "3D Crystals": "crystal",
}


@pytest.mark.parametrize(("label", "group"), KING_TABLE_1.items())
def test_vmxi_labels_fall_into_the_groups_of_the_published_table(label: str, group: str) -> None:
    assert BY_NAME[class_labelled(label, SCHEMES["vmxi-10"]).outcome].group == group


def test_every_xtaltrak_score_number_names_its_outcome() -> None:
    found = {
        outcome.score_number: class_labelled(str(outcome.score_number), SCHEMES["outcomes-13"]).outcome
        for outcome in OUTCOMES
    }
    assert found[23] == "crystal_harvestable"
    assert found[1] == "clear"
    assert sorted(found.values()) == sorted(set(OUTCOME_NAMES) - {"rim"})


@pytest.mark.parametrize("label", ["Crystals", "crystal", "CRYSTALS "])
def test_marco_labels_are_read_however_they_are_written(label: str) -> None:
    assert class_labelled(label, SCHEMES["groups-4"]).name == "crystal"


def test_an_unknown_label_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no class 'Skin'.*choose from crystal, precipitate, other, clear"):
        class_labelled("Skin", SCHEMES["groups-4"])
    with pytest.raises(UnknownNameError, match="outcomes-13"):
        scheme_named("thirteen")
    with pytest.raises(UnknownNameError, match="no class scheme has the classes a, b"):
        scheme_of(["a", "b"])


@pytest.mark.parametrize("name", TRAINABLE.values())
def test_a_coarser_scheme_keeps_every_group(name: str) -> None:
    scheme = SCHEMES[name]
    columns = columns_by_outcome(scheme)
    for outcome in OUTCOMES:
        assert BY_NAME[scheme.classes[columns[outcome.name]].outcome].group is outcome.group


@pytest.mark.parametrize("name", SCHEMES)
def test_probabilities_of_a_scheme_keep_their_sum_in_every_group(name: str) -> None:
    scheme = SCHEMES[name]
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(scheme.classes)), 5)
    spread = in_outcomes(probabilities, scheme)
    assert spread.shape == (5, 13)
    for group in GROUPS:
        members = [i for i, each in enumerate(scheme.classes) if BY_NAME[each.outcome].group is Group(group)]
        np.testing.assert_allclose(spread[:, classes_of(group)].sum(axis=1), probabilities[:, members].sum(axis=1))


def test_names_come_from_a_list_or_a_file_whose_lines_may_have_commas(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("\ufeffClear\n\nPrecipitate, heavy\n", encoding="utf-8")
    assert names_listed(str(file)) == ["Clear", "Precipitate, heavy"]
    assert names_listed(" clear,rim,") == ["clear", "rim"]
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match="cannot read the names of classes"):
        names_listed(str(file))
