"""Temperature, shifts, and the figures that go into cards."""

from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.datasets.cell_labels import IGNORED
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import UserError
from crystal_search.exporting.calibration import (
    fitted_shifts,
    fitted_temperature,
    group_of,
    shift_logits,
    well_accuracy,
    with_few_false_crystals,
)
from crystal_search.exporting.export import export
from crystal_search.exporting.exported_runs import export_run
from crystal_search.exporting.rendered_chops import ScoredWell, chop_accuracy, scored_wells
from crystal_search.model import read_model
from crystal_search.networks.network_kinds import build, classifier_card, drop_locator_card
from crystal_search.outcomes import OUTCOME_NAMES, OUTCOMES, Group
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.unet_drop.network import UNet
from tests.unit.dataset_files import write_rendered
from tests.unit.networks_fakes import CLEAR, CRYSTAL, fake_well

NO_SHIFTS = np.zeros(len(OUTCOMES))


def well_saying(outcome: int, logit: float, group: Group, *, label: int = CLEAR) -> ScoredWell:
    logits = np.zeros((3, len(OUTCOMES)))
    logits[:, CLEAR] = 6.0
    logits[1, outcome] = logit
    return ScoredWell(logits, np.array([CLEAR, label, IGNORED]), group)


def test_too_sure_a_network_is_cooled_down() -> None:
    wells = [
        ScoredWell(np.eye(13)[[CLEAR]] * 20, np.array([CLEAR if number % 4 else CRYSTAL]), Group.CLEAR)
        for number in range(40)
    ]
    assert fitted_temperature(wells) > 2


def test_a_group_that_cries_wolf_is_lowered_until_it_does_not() -> None:
    wells = [well_saying(CRYSTAL, 9.0, Group.CLEAR), well_saying(CRYSTAL, 12.0, Group.CRYSTAL, label=CRYSTAL)]
    assert well_accuracy(wells, 1.0, NO_SHIFTS) == 0.5
    shifts = fitted_shifts(wells, 1.0)
    assert well_accuracy(wells, 1.0, shifts) == 1.0
    assert shifts[CRYSTAL] < 0
    assert shifts[CLEAR] == 0


def test_a_group_counts_only_above_the_threshold_of_the_ranked_score() -> None:
    for odds, group in ((0.7, Group.CLEAR), (0.84, Group.CLEAR), (0.86, Group.CRYSTAL)):
        logits = np.full((2, len(OUTCOMES)), -30.0)
        logits[0, [CRYSTAL, CLEAR]] = np.log([odds, 1 - odds])
        logits[1, CLEAR] = 0.0
        assert group_of(ScoredWell(logits, np.array([CRYSTAL, CLEAR]), group), 1.0, NO_SHIFTS) is group


def test_the_threshold_decides_what_needs_a_shift() -> None:
    wells = [well_saying(CRYSTAL, 7.0, Group.CLEAR), well_saying(CRYSTAL, 12.0, Group.CRYSTAL)]
    assert well_accuracy(wells, 1.0, NO_SHIFTS) == 1.0  # crystals at 73 % in the best chop are below the threshold
    np.testing.assert_array_equal(with_few_false_crystals(wells, 1.0, NO_SHIFTS), NO_SHIFTS)


def test_what_needs_no_shift_gets_none() -> None:
    wells = [well_saying(CRYSTAL, 1.0, Group.CLEAR), well_saying(CRYSTAL, 12.0, Group.CRYSTAL)]
    np.testing.assert_array_equal(fitted_shifts(wells, 1.0), NO_SHIFTS)


def test_few_wells_without_crystals_are_called_crystal_even_where_it_costs_some() -> None:
    sure = [well_saying(CRYSTAL, 12.0, Group.CRYSTAL, label=CRYSTAL) for _ in range(20)]
    doubtful = [well_saying(CRYSTAL, 9.0, Group.CRYSTAL, label=CRYSTAL) for _ in range(2)]
    false = [well_saying(CRYSTAL, 8.5, Group.CLEAR) for _ in range(2)]
    wells = [*sure, *doubtful, *false, *(well_saying(CRYSTAL, 0.0, Group.CLEAR) for _ in range(38))]
    shifts = with_few_false_crystals(wells, 1.0, NO_SHIFTS)
    crystals = [outcome.group is Group.CRYSTAL for outcome in OUTCOMES]
    assert (shifts[crystals] < 0).all()
    assert (shifts[np.logical_not(crystals)] == 0).all()
    called = [group_of(well, 1.0, shifts) is Group.CRYSTAL for well in wells]
    assert (sum(called[:20]), sum(called[22:])) == (20, 0)
    np.testing.assert_array_equal(with_few_false_crystals(sure + wells[24:], 1.0, NO_SHIFTS), NO_SHIFTS)


def test_chops_without_a_label_do_not_count() -> None:
    assert chop_accuracy([well_saying(CRYSTAL, 9.0, Group.CRYSTAL, label=CRYSTAL)]) == (1.0, 2)


def test_shifts_end_in_the_networks_last_layer() -> None:
    network = build("squeezenet", len(OUTCOMES)).eval()
    views = torch.zeros(1, 1, 256, 256)
    with torch.no_grad():
        before = network(views)
        shift_logits(network, np.arange(13.0), temperature=2.0)
        difference = network(views) - before
    np.testing.assert_allclose(difference[0, :, 0, 0].numpy(), 2 * np.arange(13), atol=1e-4)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with untrained models."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    network = build("squeezenet", len(OUTCOMES))
    save_checkpoint(folder, 1, network, torch.optim.AdamW(network.parameters()), {"shards": []})
    export(UNet(), drop_locator_card("unet"), folder)
    write_rendered(folder, validation=[[fake_well(number) for number in (0, 1, 7)]])
    write_run(
        folder,
        RunRecord(
            role="classifier",
            architecture="squeezenet",
            classes=OUTCOME_NAMES,
            normalisation="local-contrast-1",
            working_width_px=1224,
            data=str(folder),
            task="cells",
            command="crystal-search train chops",
            seed=0,
        ),
    )
    export_run(folder, "classes", folder)
    return folder


def test_the_exported_card_tells_what_was_fitted(models: Path) -> None:
    card = read_model(models / "classes.card.json").card
    assert card.training_data.startswith("rendered wells only")
    assert card.training_command == "crystal-search train chops"
    assert [figure.measure for figure in card.measured] == ["13-class accuracy of chops", "4-group accuracy of wells"]
    assert card.measured[1].count == 2


def test_a_drop_gives_as_many_chops_as_the_client_takes(models: Path) -> None:
    card = classifier_card("x")
    wells = list(scored_wells(build("squeezenet", 13).eval(), card, open_dataset(models), "validation"))
    assert [well.group for well in wells] == [Group.CRYSTAL, Group.CLEAR]
    assert all(len(well.logits) == len(well.labels) > 9 for well in wells)
    assert CRYSTAL in wells[0].labels
    assert CRYSTAL not in wells[1].labels


def test_without_validation_wells_there_is_no_export(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no validation wells"):
        export_run(models, "classes", tmp_path, write_rendered(tmp_path / "data", train=[[fake_well(0)]]))
