"""Rendered wells on disk."""

from pathlib import Path

import numpy as np
import pytest

from crystal_search.datasets import rendered_shards as shards
from crystal_search.datasets.outcome_maps import OUTSIDE, highest_priority
from crystal_search.datasets.rendered_shards import fill, read_shard, shard_names, write_shard
from crystal_search.errors import UserError
from crystal_search.outcomes import OUTCOME_NAMES
from tests.unit.networks_fakes import CLEAR, CRYSTAL, FakeWell, fake_well


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "WELLS_PER_SHARD", 4)


def test_wells_come_back_as_they_went_in(tmp_path: Path) -> None:
    wells = [fake_well(number) for number in (0, 1, 7)]
    shard = read_shard(write_shard(tmp_path, "train-00000", 0, wells))
    assert shard.winners == ("crystal_harvestable", "clear", None)
    np.testing.assert_array_equal(shard.grey[1], wells[1].image[:, :, 0])
    assert shard.outcomes.shape == shard.drops.shape == (3, 128, 306)
    assert [shard.outcomes[well, 64, 153] for well in range(3)] == [CRYSTAL, CLEAR, OUTSIDE]
    assert [shard.drops[well, 64, 153] for well in range(3)] == [255, 255, 0]


def test_a_feature_hides_the_clear_and_anything_hides_what_is_outside() -> None:
    order = ["crystal_harvestable", "phase_separation", "clear_with_features", "rim", "clear"]
    for higher, lower in zip(order, [*order[1:], None], strict=True):
        block = np.full((4, 4), OUTSIDE if lower is None else OUTCOME_NAMES.index(lower), np.uint8)
        block[3, 0] = OUTCOME_NAMES.index(higher)
        assert OUTCOME_NAMES[highest_priority(block)[0, 0]] == higher


@pytest.mark.usefixtures("small_shards")
def test_filling_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    rendered: list[int] = []

    def render(number: int) -> FakeWell:
        if len(rendered) == 6:
            raise KeyboardInterrupt
        rendered.append(number)
        return fake_well(number)

    with pytest.raises(KeyboardInterrupt):
        list(fill(tmp_path, "train", 8, render))
    assert shard_names(tmp_path, "train") == ["train-00000"]
    rendered.clear()
    assert list(fill(tmp_path, "train", 8, render)) == ["train-00000", "train-00001"]
    assert rendered == [4, 5, 6, 7]


def test_a_shard_that_was_only_half_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr("crystal_search.datasets.rendered_shards.json.dumps", _killed)
        with pytest.raises(KeyboardInterrupt):
            write_shard(tmp_path, "train-00000", 0, [fake_well(0)])
    assert shard_names(tmp_path, "train") == []
    write_shard(tmp_path, "train-00000", 0, [fake_well(0)])
    assert shard_names(tmp_path, "train") == ["train-00000"]


def _killed(_: object) -> str:
    raise KeyboardInterrupt


def test_several_processes_write_the_same_shards(tmp_path: Path) -> None:
    assert list(fill(tmp_path, "train", 128, fake_well, jobs=2)) == ["train-00000", "train-00001"]
    np.testing.assert_array_equal(read_shard(tmp_path / "train-00001").grey[1], fake_well(65).image[:, :, 0])


def test_wells_that_fill_no_shard_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="100 wells do not fill shards of 64"):
        list(fill(tmp_path, "train", 100, fake_well))
