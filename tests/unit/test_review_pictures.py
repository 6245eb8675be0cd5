"""The pictures of a review page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from crystal_search.datasets.packed import open_dataset
from crystal_search.review.doubts import DoubtedChop
from crystal_search.review.review_page import CHOP_SIDE_PX, CHOPS_SHOWN, write_pictures
from tests.unit.dataset_files import ABOUT_SMALL, WELL_COLUMNS, WELL_ROWS, write_dataset

WELLS = {"train": {"clear": 1}}


@pytest.mark.parametrize("normalisation", ["local-contrast-1", "rgb-1"])
def test_image_and_chops_are_small_jpegs(tmp_path: Path, normalisation: str) -> None:
    about = replace(ABOUT_SMALL, normalisation=normalisation)
    dataset = open_dataset(write_dataset(tmp_path / "data", wells=WELLS, about=about))
    chops = [DoubtedChop(row=row, says="clear", probability=0.5, loss=1.0) for row in dataset.chops("train")]
    shown = write_pictures(tmp_path, 7, chops, dataset, dataset.wells("train")[0])
    assert shown.image == "thumbs/00007.jpg"
    image = simplejpeg.decode_jpeg((tmp_path / "thumbs/00007.jpg").read_bytes())
    assert image.shape == (WELL_ROWS, WELL_COLUMNS, 3)
    assert shown.proportion == pytest.approx(WELL_ROWS / WELL_COLUMNS, abs=1e-4)
    assert len(shown.chops) == CHOPS_SHOWN < len(chops)
    assert simplejpeg.decode_jpeg((tmp_path / shown.chops[0].file).read_bytes()).shape == (
        CHOP_SIDE_PX,
        CHOP_SIDE_PX,
        3,
    )


def test_a_chop_shows_what_the_network_saw_without_the_surroundings(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path / "data"))
    row = dataset.chops("train")[1]
    [shown] = write_pictures(
        tmp_path, 1, [DoubtedChop(row=row, says="clear", probability=0.5, loss=1.0)], dataset, None
    ).chops
    picture = simplejpeg.decode_jpeg((tmp_path / shown.file).read_bytes(), "GRAY")[:, :, 0].astype(float)
    whole = dataset.patch(row)[dataset.box(row).slices]
    assert picture.mean() == pytest.approx(whole.mean(), abs=1)
    assert np.corrcoef(picture.mean(axis=1), whole.reshape(64, 4, 256).mean(axis=(1, 2)).repeat(3))[0, 1] > 0.8
    assert shown.place is None


def test_the_frame_of_a_chop_lies_where_it_was_cut(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path / "data", wells=WELLS))
    row = replace(dataset.chops("train")[0], top=256, left=306)
    chop = DoubtedChop(row=row, says="clear", probability=0.5, loss=1.0)
    [shown] = write_pictures(tmp_path, 1, [chop], dataset, dataset.wells("train")[0]).chops
    # The view is 1224 px wide and, as the image has 512 x 612 px, 1024 px high.
    assert shown.place == pytest.approx((0.25, 0.25, 0.25, 256 / 1224), abs=1e-3)
