"""What ``render`` writes goes the way of every archive: build, table, reader."""

from pathlib import Path

import pytest

from crystal_search.datasets.outcome_maps import OUTSIDE
from crystal_search.datasets.packed import DROPS, GREY, OUTCOMES, PackedDataset, WellRow, open_dataset
from crystal_search.geometry import Box
from crystal_search.main import main
from crystal_search.wells import SPLITS


def rows_of(dataset: PackedDataset) -> list[WellRow]:
    return [row for split in SPLITS for row in dataset.wells(split)]


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of rendered wells, half of them with crystals."""
    folder = tmp_path_factory.mktemp("rendered")
    build = ["dataset", "build", "--out", str(folder / "data"), "--workers", "1", "--shares", "50/25/25"]
    for outcome in ("crystal_harvestable", "clear"):
        render = ["render", "wells", "--out", str(folder / outcome), "--count", "5", "--outcome", outcome]
        assert main([*render, "--maps", "--no-sheet", "--quality", "95"]) == 0
        build.append(str(folder / outcome))
    assert main(build) == 0
    return folder / "data"


def test_rendered_wells_keep_all_that_is_known_of_them(wells: Path) -> None:
    dataset = open_dataset(wells)
    rows = rows_of(dataset)
    assert len(rows) == 10
    for row in rows:
        grey, outcomes, drops = (dataset.array(row, name) for name in (GREY, OUTCOMES, DROPS))
        assert grey.shape == (1024, 1224)
        assert outcomes.shape == drops.shape == (256, 306)
        assert ((drops > 250) <= (outcomes != OUTSIDE)).all()
        crystals = dataset.objects(row)
        assert crystals is not None
        assert bool(crystals) == (row.outcome == "crystal_harvestable")
        for each in crystals:
            assert each.mask.shape == (1024, 1224)
            box = Box(each.box.top // 4, each.box.left // 4, each.box.bottom // 4 + 1, each.box.right // 4 + 1)
            assert each.too_faint or (outcomes[box.slices] == 0).any()  # the first outcome is this one


def test_crystals_in_suspension_are_a_dataset_without_chops(tmp_path: Path) -> None:
    render = ["render", "suspension", "--out", str(tmp_path / "raw"), "--count", "8", "--no-sheet"]
    render += ["--most-crystals", "6"]
    assert main(render) == 0
    out = tmp_path / "data"
    assert main(["dataset", "build", str(tmp_path / "raw"), "--out", str(out), "--workers", "1"]) == 0
    assert main(["dataset", "show", str(out)]) == 0
    dataset = open_dataset(out)
    rows = rows_of(dataset)
    assert len(rows) == 8
    assert all(dataset.wells(split) and not dataset.chops(split) for split in SPLITS)
    assert {row.outcome for row in rows} == {"crystal_harvestable"}
    found = [dataset.objects(row) for row in rows]
    assert all(crystals and crystals[0].mask.shape == (384, 384) for crystals in found)
