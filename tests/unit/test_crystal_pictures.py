"""Pictures of what was found: as large as the image, or enlarged, with boxes where the crystals are."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from crystal_search.crystal import Crystal
from crystal_search.direct.crystal_pictures import CLEAR_PX, drawn
from crystal_search.images import from_array


@pytest.mark.parametrize(("width_px", "times"), [(200, 5), (CLEAR_PX, 1), (CLEAR_PX + 1, 1)])
def test_a_small_image_is_enlarged_and_its_boxes_with_it(width_px: int, times: int) -> None:
    crystal = Crystal(
        probability=0.9, row=40, column=50, long_px=40, short_px=20, angle_rad=0, outline=((30, 30), (30, 70), (50, 50))
    )
    data = drawn(from_array(np.full((210, width_px), 128, np.uint8)), (crystal,))
    picture = np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert picture.shape == (210 * times, width_px * times, 3)
    coloured = np.abs(picture - 128).max(axis=2) > 40
    rows, columns = np.nonzero(coloured)
    assert (rows.min(), rows.max()) == pytest.approx((30 * times, 50 * times), abs=3)
    assert (columns.min(), columns.max()) == pytest.approx((30 * times, 70 * times), abs=3)
