"""Datasets of rendered wells, that grow shard by shard."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystal_search.datasets import rendering
from crystal_search.datasets.outcome_maps import OUTSIDE, highest_priority
from crystal_search.datasets.packed import ABOUT, DROPS, GREY, IMAGES, OBJECTS, OUTCOMES, PackedDataset, open_dataset
from crystal_search.datasets.rendering import LOCK, Rendering, fill
from crystal_search.errors import UserError
from crystal_search.exit_codes import USAGE
from crystal_search.images import decode
from crystal_search.main import main
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.wells.rendered_well import RenderedImage
from tests.unit.dataset_files import write_dataset
from tests.unit.networks_fakes import CLEAR, CRYSTAL, fake_well


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "WELLS_PER_SHARD", 4)


def filled(folder: Path, wells: int = 8, split: str = "train") -> PackedDataset:
    list(fill(folder, split, wells, fake_well))
    return open_dataset(folder)


def test_a_device_that_there_is_not_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "render", str(tmp_path / "data"), "--device", "abacus"]) == USAGE
    assert "no device 'abacus' here; choose cpu" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("small_shards")
def test_wells_come_back_as_they_went_in(tmp_path: Path) -> None:
    dataset = filled(tmp_path)
    rows = [dataset.wells("train")[number] for number in (0, 1, 7)]
    assert [row.outcome for row in rows] == ["crystal_harvestable", "clear", "no_drop"]
    assert [row.knows_drop for row in rows] == [True, True, False]
    grey = dataset.array(rows[1], GREY)
    np.testing.assert_array_equal(grey, fake_well(1).image[:, :, 0])
    outcomes, drops = ([dataset.array(row, name) for row in rows] for name in (OUTCOMES, DROPS))
    assert {each.shape for each in (*outcomes, *drops)} == {(128, 306)}
    assert [each[64, 153] for each in outcomes] == [CRYSTAL, CLEAR, OUTSIDE]
    assert [each[64, 153] for each in drops] == [255, 255, 0]
    assert isinstance(grey, np.memmap)  # nothing is read before somebody looks at it
    np.testing.assert_array_equal(decode(dataset.image(rows[1])).colour[:, :, 0], grey)  # what reads images reads these


def test_a_feature_hides_the_clear_and_anything_hides_what_is_outside() -> None:
    order = ["crystal_harvestable", "phase_separation", "clear_with_features", "rim", "clear"]
    for higher, lower in zip(order, [*order[1:], None], strict=True):
        block = np.full((4, 4), OUTSIDE if lower is None else OUTCOME_NAMES.index(lower), np.uint8)
        block[3, 0] = OUTCOME_NAMES.index(higher)
        assert OUTCOME_NAMES[highest_priority(block)[0, 0]] == higher


@pytest.mark.usefixtures("small_shards")
def test_arrays_lie_in_the_tar_file_where_the_table_says(tmp_path: Path) -> None:
    dataset = filled(tmp_path, 4)
    row = dataset.wells("train")[2]
    with tarfile.open(tmp_path / row.shard) as tar:
        member = tar.getmember(f"{row.key}.{GREY}")
    assert (member.offset_data, member.size) == row.part(GREY)


@pytest.mark.usefixtures("small_shards")
def test_filling_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    rendered: list[int] = []

    def render(number: int) -> RenderedImage:
        if len(rendered) == 6:
            raise KeyboardInterrupt
        rendered.append(number)
        return fake_well(number)

    with pytest.raises(KeyboardInterrupt):
        list(fill(tmp_path / "stopped", "train", 8, render))
    assert len(open_dataset(tmp_path / "stopped").wells("train")) == 4  # the half-written shard is not there
    rendered.clear()
    assert [each.file for each in fill(tmp_path / "stopped", "train", 8, render)] == ["images-train-00001.tar"]
    assert rendered == [4, 5, 6, 7]
    whole, stopped = filled(tmp_path / "whole"), open_dataset(tmp_path / "stopped")
    assert whole.about.shards == stopped.about.shards  # the same bytes


@pytest.mark.usefixtures("small_shards")
def test_a_dataset_grows_while_it_is_open(tmp_path: Path) -> None:
    shards = fill(tmp_path, "train", 12, fake_well)
    next(shards)
    dataset = open_dataset(tmp_path)
    next(shards)
    assert len(dataset.wells("train")) == 4
    dataset.refresh()
    assert len(dataset.wells("train")) == 8


@pytest.mark.usefixtures("small_shards")
def test_two_splits_lie_in_one_dataset(tmp_path: Path) -> None:
    filled(tmp_path, 8)
    dataset = filled(tmp_path, 4, "validation")
    assert [len(dataset.wells(split)) for split in ("train", "validation", "test")] == [8, 4, 0]
    assert [shard.file for shard in dataset.shards(IMAGES, "validation")] == ["images-validation-00000.tar"]
    assert (tmp_path / LOCK).exists()


@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    dataset = filled(tmp_path, 4)
    shard = tmp_path / "images-train-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    with pytest.raises(UserError, match=r"images-train-00000\.tar has \d+ bytes, expected \d+"):
        open_dataset(tmp_path)
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"grey\.npy cannot be read"):
        dataset.array(dataset.wells("train")[0], GREY)


def test_several_processes_write_the_same_shards(tmp_path: Path) -> None:
    files = [each.file for each in fill(tmp_path, "train", 128, fake_well, jobs=2)]
    assert files == ["images-train-00000.tar", "images-train-00001.tar"]
    dataset = open_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.array(dataset.wells("train")[65], GREY), fake_well(65).image[:, :, 0])


def test_wells_that_fill_no_shard_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="100 wells do not fill shards of 64"):
        list(fill(tmp_path, "train", 100, fake_well))


def test_a_dataset_of_photographs_is_left_alone(tmp_path: Path) -> None:
    before = (write_dataset(tmp_path) / ABOUT).read_text()
    with pytest.raises(UserError, match="holds a dataset of patterns; name a folder for rendered wells"):
        list(fill(tmp_path, "train", 64, fake_well))
    assert (tmp_path / ABOUT).read_text() == before


def test_an_older_dataset_is_to_be_built_again(tmp_path: Path) -> None:
    about = (write_dataset(tmp_path) / ABOUT).read_text()
    (tmp_path / ABOUT).write_text(about.replace('"version": 2', '"version": 1'))
    with pytest.raises(UserError, match="is no crystal-search dataset of version 2; build the dataset again"):
        open_dataset(tmp_path)


def test_single_crystals_are_kept_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "WELLS_PER_SHARD", 1)
    list(fill(tmp_path, "train", 1, Rendering("train", objects=True), objects=True))
    dataset = open_dataset(tmp_path)
    (row,) = dataset.wells("train")
    crystals = dataset.objects(row)
    assert crystals
    assert row.outcome == "crystal_harvestable" == crystals[0].category
    assert row.part(OBJECTS)
    assert crystals[0].mask.shape == (1024, 1224)
    outcomes = dataset.array(row, OUTCOMES)
    seen = [each for each in crystals if not each.too_faint and each.box.area]
    assert seen
    for each in seen:
        centre = [int(value) // 4 for value in each.oriented_box[:2]]
        assert outcomes[centre[0], centre[1]] != OUTSIDE


def test_a_well_without_a_named_part_says_so(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path, {}, wells={"train": {"clear": 1}}))
    (row,) = dataset.wells("train")
    assert dataset.objects(row) is None
    with pytest.raises(UserError, match=r"has no outcomes\.npy"):
        dataset.array(row, OUTCOMES)
    with pytest.raises(UserError, match=r"well-0\.jpg has no mask\.png"):
        dataset.part(replace(row, parts=""), "mask.png")
