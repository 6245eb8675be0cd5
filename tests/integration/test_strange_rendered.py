"""Rendered wells, scored by the shipped models: noisy pictures are strange, other wells of the imager are not."""

from collections.abc import Iterator
from io import BytesIO
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from crystal_search.datasets.rendering import ROTA
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.server.services import look_after_imagers, strange_lookout, strange_records
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.rendered_well import render_well
from crystal_search.work_unit import Parameters
from tests.recipes import made_by
from tests.service_site import site_at
from tests.unit.test_strange_lookout import known, looked, taken

HISTORY, LATER = 40, 10
RARE = 0.25  #: five of the 20 distances that so short a history has
NOISE = 40  #: grey levels
SHIPPED = made_by("shipped", "1", drop="2")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Render with one thread: several wait for each other longer than they work, on pictures this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def features_of(picture: NDArray[np.uint8], models: Models) -> NDArray[np.float16] | None:
    data = BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=85)
    return score_data(data.getvalue(), models, Parameters())[0].features


def wells(models: Models, *, first: int, noise: float = 0) -> Iterator[NDArray[np.float16]]:
    """Yield the features of wells of one imager in which a drop is found."""
    rng = np.random.default_rng(first)
    for number in count(first):
        seed, outcome = WellSeed("test", number), ROTA[number % len(ROTA)]
        picture = render_well(seed, outcome=outcome, height_px=256, width_px=306, imager=WellSeed("test", 3)).image
        noisy = (picture + noise * rng.normal(size=picture.shape)).clip(0, 255).astype(np.uint8)
        if (features := features_of(noisy, models)) is not None:
            yield features


def test_noise_is_strange_and_other_wells_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (strange_records, look_after_imagers):
        monkeypatch.setattr(module, "HISTORY", HISTORY)
    monkeypatch.setattr(strange_lookout, "FALSE_ALARMS", RARE)
    models, site = loaded([default_model(ClassifierCard), default_model(DropCard)]), site_at(tmp_path)
    ordinary = np.array([*islice(wells(models, first=0), HISTORY + LATER)], np.float64)
    noisy = np.array([*islice(wells(models, first=1000, noise=NOISE), LATER)], np.float64)
    taken(site, "A", ordinary[:HISTORY], recipe=SHIPPED)
    plain, spoilt = (set(taken(site, *each, recipe=SHIPPED)) for each in (("B", ordinary[HISTORY:]), ("C", noisy)))
    looked(site)
    strange = {each.image_id for each in known(site).strange}
    assert known(site).compared == 2 * LATER
    assert len(strange & plain) <= LATER / 2
    assert len(strange & spoilt) >= 0.8 * LATER
